#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Starts the example service for real, on loopback, and asks it.
#
#   service.sh MODULE_FOLDER EXAMPLE_FOLDER
set -u
module=$1
example=$2
nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || { echo "service: no nginx" >&2; exit 1; }
work=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
failures=0

cp "$example"/memplan_service.lua "$work"
sed -e "s/127.0.0.1:8088/127.0.0.1:$port/" \
  -e "s|lua_package_path .*|&\n    lua_package_cpath \"$module/?.so;;\";|" \
  "$example"/nginx.conf >"$work"/nginx.conf
[ "$(id -u)" -eq 0 ] && echo "user root;" >>"$work"/nginx.conf

stop() {
  "$nginx" -p "$work" -c nginx.conf -s stop 2>/dev/null
  rm -rf "$work"
}
trap stop EXIT
if ! "$nginx" -p "$work" -c nginx.conf; then
  cat "$work"/error.log >&2
  exit 1
fi

# ask QUERY: the answer's body in $body, its code and headers in $head.
ask() {
  head=$(curl -sS --max-time 10 -o "$work"/body -D - "http://127.0.0.1:$port/plan?$1")
  body=$(cat "$work"/body)
}

# expect NAME PATTERN TEXT
expect() {
  if grep -q -- "$2" <<<"$3"; then
    echo "ok   $1"
  else
    echo "FAIL $1: no \"$2\" in: $3"
    failures=$((failures + 1))
  fi
}

question='model=llama-2-70b&dtype=int4&context=4096&max_memory=0=20GB,cpu=60GB'
for _ in $(seq 50); do curl -s -o /dev/null "http://127.0.0.1:$port/plan" && break; done
ask "$question"
expect "a plan is JSON" '^Content-Type: application/json' "$head"
expect "made at first" '^X-Plan: made' "$head"
expect "of its schema" '"memplan.plan/1"' "$body"
expect "and fits" '"fits": true' "$body"
first=$body
for _ in 1 2 3 4; do ask "$question"; done
expect "then shared by all workers" '^X-Plan: shared' "$head"
if [ "$body" = "$first" ]; then echo "ok   the same bytes"; else failures=$((failures + 1)); echo "FAIL other bytes"; fi
ask 'model=llama-2-7b'
expect "this machine, where no budgets are given" '"fits"' "$body"
ask 'model=/etc/passwd'
expect "a path is refused" ' 400 ' "$head"
ask 'model=no-such-model'
expect "an unknown name is 404" ' 404 ' "$head"
ask 'model=llama-2-7b&max_memory=0=24G'
expect "a wrong budget is 400" ' 400 ' "$head"
expect "and says why" '24GiB' "$body"
ask 'model=llama-2-7b&context=9e9'
expect "a wrong context is 400" ' 400 ' "$head"
ask 'model=llama-2-7b&model=x'
expect "a name given twice is 400" ' 400 ' "$head"

[ $failures -eq 0 ] && echo "service: all passed"
[ $failures -eq 0 ]
