# SPDX-License-Identifier: MIT
# Writes the places of the families in their text:
#
#     cmake -D families=families.txt -D out=families.def -P families.cmake
#
# FAMILY(name, first byte, bytes) and FAMILY_ALIAS(name, family). A family goes
# up to the next; the lines before the first of a file belong to none.
file(READ ${families} text)
string(LENGTH "${text}" end)
set(rows "")
set(at 0)
set(last "")
string(REGEX MATCHALL "(^|\n)(family|alias) [^\n]*" lines "${text}")
foreach(line IN LISTS lines)
  string(STRIP "${line}" line)
  string(REPLACE " " ";" words "${line}")
  list(GET words 0 kind)
  list(GET words 1 name)
  if(kind STREQUAL "alias")
    list(GET words 2 family)
    string(APPEND rows "FAMILY_ALIAS(\"${name}\", \"${family}\")\n")
    continue()
  endif()
  # The rest of the text, from here on: positions only ever grow.
  string(SUBSTRING "${text}" ${at} -1 rest)
  string(FIND "${rest}" "family ${name}\n" place)
  math(EXPR first "${at} + ${place}")
  if(last)
    math(EXPR bytes "${first} - ${last_first}")
    string(APPEND rows "FAMILY(\"${last}\", ${last_first}, ${bytes})\n")
  endif()
  set(last ${name})
  set(last_first ${first})
  set(at ${first})
endforeach()
math(EXPR bytes "${end} - ${last_first}")
string(APPEND rows "FAMILY(\"${last}\", ${last_first}, ${bytes})\n")
file(WRITE ${out} "${rows}")
