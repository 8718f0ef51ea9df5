# SPDX-License-Identifier: MIT
cmake_minimum_required(VERSION 3.22)
# What the library exports, what the map lists and what the header declares
# are one and the same list.
execute_process(COMMAND ${NM} -D --defined-only ${LIBRARY}
  OUTPUT_VARIABLE table COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "memplan_[a-z0-9_]+" exported "${table}")

file(READ ${MAP} map)
if(map MATCHES "global:[^}]*\\*;[^}]*local:")
  message(FATAL_ERROR "memplan.map: a wildcard in global:")
endif()
string(REGEX MATCHALL "memplan_[a-z0-9_]+" mapped "${map}")

file(READ ${HEADER} header)
string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/" "" header "${header}")
string(REGEX MATCHALL "MEMPLAN_API[^;]*;" prototypes "${header}")
set(declared "")
foreach(prototype IN LISTS prototypes)
  if(prototype MATCHES "(memplan_[a-z0-9_]+)\\(")
    list(APPEND declared ${CMAKE_MATCH_1})
  endif()
endforeach()

foreach(set exported mapped declared)
  list(REMOVE_DUPLICATES ${set})
  list(SORT ${set})
endforeach()
foreach(name IN LISTS declared)
  if(NOT name IN_LIST mapped)
    message(SEND_ERROR "${name}: declared in memplan.h, not in memplan.map")
  endif()
endforeach()
foreach(name IN LISTS mapped)
  if(NOT name IN_LIST declared)
    message(SEND_ERROR "${name}: in memplan.map, not declared in memplan.h")
  endif()
endforeach()
if(NOT "${exported}" STREQUAL "${mapped}")
  message(SEND_ERROR "exported: ${exported}\nmapped:   ${mapped}")
endif()

# Nothing but ours and the version node may leave the library.
string(REGEX MATCHALL " [TDBRVWi] [^\n]+" others "${table}")
foreach(line IN LISTS others)
  if(NOT line MATCHES " memplan_")
    message(SEND_ERROR "a foreign symbol is exported:${line}")
  endif()
endforeach()
