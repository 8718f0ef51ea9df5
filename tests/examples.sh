#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs a build into a scratch prefix and uses it from there as a stranger
# would: pkg-config and CMake, C and C++, shared and static, Python and Lua.
#
#   examples.sh BUILD_FOLDER
set -u
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.." || exit 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
failures=0

# try NAME COMMAND...: what it prints is kept for the case that it fails.
try() {
  local name=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    echo "ok   $name"
  else
    echo "FAIL $name (exit code $?)"
    sed 's/^/     /' "$work/log"
    failures=$((failures + 1))
  fi
}

# same NAME A B: two files with the same bytes, and some.
same() {
  if [ -s "$2" ] && cmp -s "$2" "$3"; then
    echo "ok   $1"
  else
    echo "FAIL $1"
    diff "$2" "$3" | head -10
    failures=$((failures + 1))
  fi
}

try "install" cmake --install "$build" --prefix "$prefix"
libdir=$(dirname "$(dirname "$(find "$prefix" -name memplan.pc)")")
export PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir
sed -i "s|^prefix=.*|prefix=$prefix|" "$libdir"/pkgconfig/memplan.pc

strict=(-Wall -Wextra -Wpedantic -Werror)
for source in fit launcher; do
  # shellcheck disable=SC2046 # pkg-config answers with several words
  {
    try "$source: C, shared" gcc -std=c11 "${strict[@]}" \
      "examples/c/$source.c" -o "$work/$source" \
      $(pkg-config --cflags --libs memplan)
    try "$source: C, static" gcc -std=c11 "${strict[@]}" \
      "examples/c/$source.c" -o "$work/$source-static" \
      $(pkg-config --cflags memplan) "$libdir/libmemplan.a" \
      $(pkg-config --static --libs-only-l memplan | sed 's/-lmemplan//')
    try "$source: C++, shared" g++ -x c++ -std=c++20 "${strict[@]}" \
      -Wno-missing-field-initializers \
      "examples/c/$source.c" -o "$work/$source-cxx" \
      $(pkg-config --cflags --libs memplan)
  }
done
# shellcheck disable=SC2046
try "memplan/accelerate.h alone" gcc -std=c11 "${strict[@]}" -fsyntax-only -x c \
  -include memplan/accelerate.h $(pkg-config --cflags memplan) - </dev/null
for language in C CXX; do
  folder=$work/embed-$language
  cp -r examples/c/embed "$folder"
  [ $language = CXX ] && mv "$folder"/embed.c "$folder"/embed.cc &&
    sed -i 's/embed\.c)/embed.cc)/' "$folder"/CMakeLists.txt
  try "embed: $language, configured" cmake -S "$folder" -B "$folder/build" \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release
  try "embed: $language, built" cmake --build "$folder/build"
  try "embed: $language, shared" "$folder/build/embed" llama-2-7b llama-2-70b
  cp "$work/log" "$work/embed-shared"
  try "embed: $language, static" "$folder/build/embed_static" llama-2-7b llama-2-70b
  same "embed: $language, the same answer" "$work/embed-shared" "$work/log"
done

# One request, three languages, the same bytes: one that fits, one that does
# not (exit code 1), one that is wrong (exit code 2).
lua_module=$(find "$prefix" -path '*lua/5.4/memplan.so')
python=$build/venv/bin/python
# run_all EXPECTED_EXIT_CODE MODEL BUDGETS DTYPE [CONTEXT]
run_all() {
  local expected=$1
  shift
  "$work/fit" "$@" >"$work/c" 2>&1
  local code=$?
  "$work/fit-static" "$@" >"$work/static" 2>&1
  same "fit $1 $3: static" "$work/c" "$work/static"
  LUA_CPATH="$(dirname "$lua_module")/?.so" lua5.4 examples/fit.lua "$@" >"$work/lua" 2>&1
  [ $? -eq $code ] || { echo "FAIL fit $1: Lua's exit code"; failures=$((failures + 1)); }
  same "fit $1 $3: Lua" "$work/c" "$work/lua"
  if "$python" -c 'import memplan' 2>/dev/null; then
    "$python" examples/fit.py "$@" >"$work/py" 2>&1
    [ $? -eq $code ] || { echo "FAIL fit $1: Python's exit code"; failures=$((failures + 1)); }
    same "fit $1 $3: Python" "$work/c" "$work/py"
  elif [ "${CI:-}" = true ]; then
    echo "FAIL fit.py: memplan is not installed for $python"
    failures=$((failures + 1))
  else
    echo "skip fit.py: memplan is not installed for $python"
  fi
  if [ $code -ne "$expected" ]; then
    echo "FAIL fit $*: exit code $code, not $expected"
    failures=$((failures + 1))
  fi
}
run_all 0 llama-2-70b 0=20GB,cpu=60GB int4 4096
run_all 1 llama-2-70b 0=20GB,cpu=60GB fp16 4096
run_all 2 llama-2-70b 0=20gb,cpu=60GB int4

# The rock, built against the installed library.
mkdir -p "$work/rock/bindings" && cp -r bindings/lua "$work/rock/bindings"
try "the rock is built" env -C "$work/rock" luarocks --lua-version 5.4 make \
  --tree "$work/rocks" bindings/lua/memplan-0.1.0-1.rockspec \
  "MEMPLAN_INCDIR=$prefix/include" "MEMPLAN_LIBDIR=$libdir" "MEMPLAN_DIR=$prefix"
rock=$(find "$work/rocks" -name memplan.so 2>/dev/null)
try "the rock plans" env LUA_CPATH="$(dirname "${rock:-none}")/?.so" \
  lua5.4 examples/fit.lua llama-2-7b cpu=60GB

try "the installed command" "$prefix/bin/memplan" plan llama-2-70b \
  --max-memory 0=20GB,cpu=60GB --dtype int4

[ $failures -eq 0 ] && echo "examples: all passed"
[ $failures -eq 0 ]
