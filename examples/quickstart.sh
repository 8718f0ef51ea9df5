#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# From a bare Debian 12 or Ubuntu 24.04 to a plan: installs what a build needs,
# builds, shows this machine, and plans Llama-2-70B on a 20 GB GPU and 60 GB of
# host memory. Nothing is downloaded but packages; nothing is loaded.
set -eu
cd "$(dirname "$0")/.."
. tests/packages.sh

install_packages "${build_packages[@]}"
cmake -S . -B build/quickstart -DMEMPLAN_TESTS=OFF >/dev/null
cmake --build build/quickstart -j"$(nproc)" | grep -E 'warning|error|100%' || true
memplan=build/quickstart/libmemplan/cli/memplan

# show COMMAND...: prints it as one would type it, and runs it. A plan that
# does not fit exits with 1; that is an answer, not a failure here.
show() {
  printf '\n$ memplan'
  printf ' %s' "$@"
  printf '\n\n'
  "$memplan" "$@" || [ $? -eq 1 ]
}

show machine
show plan llama-2-70b --max-memory 0=20GB,cpu=60GB,disk=500GB --dtype fp16
show plan llama-2-70b --max-memory 0=20GB,cpu=60GB --dtype int4
printf '\nThe command is %s; "cmake --install build/quickstart" installs it.\n' "$memplan"
