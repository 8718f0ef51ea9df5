# SPDX-License-Identifier: MIT
cmake_minimum_required(VERSION 3.22)
# The library is a good guest: no environment, no stream, no exit, no locale.
# Files stay short.
file(GLOB_RECURSE sources ${ROOT}/libmemplan/src/*.c
  ${ROOT}/libmemplan/src/*.cc)
string(CONCAT never
  "(^|[^_a-zA-Z])(getenv|secure_getenv|setenv|putenv|printf|fprintf|puts|"
  "perror|abort|exit|_exit|system|popen|fork|strtod|atof|setlocale)\\(")
foreach(file IN LISTS sources)
  file(STRINGS ${file} bad REGEX "${never}")
  if(bad)
    message(SEND_ERROR "${file}: ${bad}")
  endif()
endforeach()

file(GLOB_RECURSE sources ${ROOT}/libmemplan/*.c ${ROOT}/libmemplan/*.cc
  ${ROOT}/libmemplan/src/*.h ${ROOT}/bindings/*.c ${ROOT}/bindings/*.py
  ${ROOT}/tests/*.c ${ROOT}/tests/*.py ${ROOT}/examples/*.c)
foreach(file IN LISTS sources)
  file(READ ${file} text)
  string(REGEX MATCHALL "\n" breaks "${text}")
  list(LENGTH breaks count)
  if(count GREATER 500)
    message(SEND_ERROR "${file}: ${count} lines, at most 500")
  endif()
endforeach()

# Lines have 80 columns. Bytes past ASCII count as one where they stand together.
string(REPEAT "." 81 too_long)
list(FILTER sources EXCLUDE REGEX "[.]py$")
foreach(file IN LISTS sources)
  file(STRINGS ${file} lines REGEX "${too_long}")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "[^ -~]+" "." line "${line}")
    string(LENGTH "${line}" columns)
    if(columns GREATER 80)
      message(SEND_ERROR "${file}: ${columns} columns: ${line}")
    endif()
  endforeach()
endforeach()
