# SPDX-License-Identifier: MIT
cmake_minimum_required(VERSION 3.22)
# Includes point downwards:
#   base <- model, machine <- engine <- plan <- dialect <- memplan.h <- the rest
set(base "model|machine|engine|plan|dialect|data")
set(model "machine|engine|plan|dialect")
set(machine "model|engine|plan|dialect")
set(engine "plan|dialect")
set(plan "dialect")
set(dialect "cli")
set(data "engine|plan|dialect")

function(refuse folder pattern)
  file(GLOB_RECURSE files ${folder}/*.c ${folder}/*.cc ${folder}/*.h
    ${folder}/*.def)
  foreach(file IN LISTS files)
    file(STRINGS ${file} bad REGEX "#include \"(${pattern})/")
    if(bad)
      message(SEND_ERROR "${file}: ${bad}")
    endif()
  endforeach()
endfunction()

foreach(layer base model machine engine plan dialect data)
  refuse(${ROOT}/libmemplan/src/${layer} "${${layer}}")
endforeach()
foreach(outside libmemplan/cli bindings examples)
  refuse(${ROOT}/${outside} "base|model|machine|engine|plan|dialect|data")
endforeach()

# An engine knows no other engine; plan and dialect know none by name.
file(GLOB engines RELATIVE ${ROOT}/libmemplan/src/engine
  ${ROOT}/libmemplan/src/engine/*)
foreach(engine IN LISTS engines)
  if(IS_DIRECTORY ${ROOT}/libmemplan/src/engine/${engine})
    refuse(${ROOT}/libmemplan/src/plan "engine/${engine}")
    foreach(other IN LISTS engines)
      if(NOT other STREQUAL engine AND
         IS_DIRECTORY ${ROOT}/libmemplan/src/engine/${other})
        refuse(${ROOT}/libmemplan/src/engine/${other} "engine/${engine}")
      endif()
    endforeach()
  endif()
endforeach()

# One file knows hwloc.
file(GLOB_RECURSE files ${ROOT}/libmemplan/src/*.c ${ROOT}/libmemplan/src/*.h)
set(users "")
foreach(file IN LISTS files)
  file(STRINGS ${file} hit REGEX "#include <hwloc")
  if(hit)
    list(APPEND users ${file})
  endif()
endforeach()
list(LENGTH users count)
if(count GREATER 1)
  message(SEND_ERROR "more than one file includes hwloc.h: ${users}")
endif()
