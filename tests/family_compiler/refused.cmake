# SPDX-License-Identifier: MIT
# What is broken in a family's text stops the build, with file and line:
#
#     cmake -D compiler=… -D folder=… -P refused.cmake
cmake_minimum_required(VERSION 3.22)
file(MAKE_DIRECTORY ${folder})
set(out ${folder}/out.def)
string(REPEAT "(" 100 nested)
set(count 0)

function(expect_refusal text message)
  file(WRITE ${folder}/case.txt "${text}")
  file(REMOVE ${out})
  execute_process(COMMAND ${compiler} ${out} ${folder}/case.txt
    RESULT_VARIABLE status ERROR_VARIABLE said OUTPUT_VARIABLE said)
  if(status EQUAL 0 OR EXISTS ${out} OR NOT said MATCHES "${message}")
    message(SEND_ERROR "for\n${text}\nexpected ${message}, got ${status} ${said}")
  endif()
  math(EXPR count "${count} + 1")
  set(count ${count} PARENT_SCOPE)
endfunction()

expect_refusal("family a\nkey b = c\n" "case.txt:2: ")
expect_refusal("family a\n\n# why\nkey b = 1 +\n" "case.txt:4: ")
expect_refusal("family a\nkey b = \"text\n" "case.txt:2: ")
expect_refusal("family a\nkey b = [1, 2\n" "case.txt:2: ")
expect_refusal("family a\nkey b = min(1, 2, 3)\n" "case.txt:2: ")
expect_refusal("family a\nkey b = ${nested}1\n" "case.txt:2: ")
expect_refusal("family a\nkey\n" "case.txt:2: ")
expect_refusal("family a\nkeys b = 1\n" "case.txt:2: .*keys b = 1")
expect_refusal("family a\nrole base\n" "case.txt:")
expect_refusal("family a\nwithout part key\n" "case.txt:")
expect_refusal("family a\ntree A\n  parameter w [1]\n" "case.txt:3: ")
expect_refusal("family a\ntree A\n  param w [1] large\n" "case.txt:3: ")
expect_refusal("family a\ntree A\n  param w [1\n" "case.txt:3: ")
expect_refusal("family a\ntree A\n  param w [b]\n" "case.txt:3: ")
expect_refusal("family a\ntree A\n  param w [1] if\n" "case.txt:3: ")
expect_refusal("family a\ntree A\n    param w [1]\n" "case.txt:3: ")
expect_refusal("family a\ntree A\n  list l\n    param w [1]\n" "case.txt:3: ")
expect_refusal("  family a\n" "case.txt:1: ")
expect_refusal("other b\n" "case.txt:1: ")
expect_refusal("alias b c\nfamily a\n" "b: an alias of no family")

file(WRITE ${folder}/good.txt
  "alias b a\nremote c\nfamily a\nkey n = 2\ntree A\n  list l [n]\n    param w [n * 2.5]\n")
execute_process(COMMAND ${compiler} ${out} ${folder}/good.txt
  RESULT_VARIABLE status)
if(NOT status EQUAL 0 OR NOT EXISTS ${out})
  message(SEND_ERROR "a whole family is refused")
endif()
execute_process(COMMAND ${compiler} ${out} ${folder}/missing.txt
  RESULT_VARIABLE status ERROR_VARIABLE said)
if(status EQUAL 0 OR NOT said MATCHES "missing.txt: cannot be opened")
  message(SEND_ERROR "a file that is not there: ${status} ${said}")
endif()
if(NOT count EQUAL 20)
  message(SEND_ERROR "${count} of 20 cases ran")
endif()
