#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what the tests need, builds, and passes every test.
#
#   bash tests/run.sh           all that CI runs (under 25 minutes on 2 cores)
#   bash tests/run.sh --quick   build and unit tests only
#   bash tests/run.sh --long    with long fuzzing and full oracle sweeps
#   bash tests/run.sh STEP...   only these steps (see the list at the end)
#
# Everything is made under build/; nothing is installed but packages.
set -u
cd "$(dirname "$0")/.." || exit 2
. tests/packages.sh

export MEMPLAN_SHARED=${MEMPLAN_SHARED:-$PWD/../shared}
export PIP_DISABLE_PIP_VERSION_CHECK=1
export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
jobs=$(nproc)
python=build/venv/bin/python

# configure FOLDER OPTION...
configure() {
  local folder=$1
  shift
  cmake -S . -B "$folder" -G Ninja -DMEMPLAN_WERROR=ON "$@" >/dev/null
}

step_packages() { install_packages "${build_packages[@]}" "${test_packages[@]}"; }

step_build() { configure build && cmake --build build; }

# Unit, golden, ABI and fuzz-corpus tests.
step_unit() { ctest --test-dir build -j"$jobs" --output-on-failure --no-tests=error; }

# The same unit tests with a leak, an overflow or undefined behaviour fatal.
step_sanitizers() {
  configure build/sanitized -DMEMPLAN_SANITIZE=address,undefined &&
    cmake --build build/sanitized &&
    ctest --test-dir build/sanitized -L quick -j"$jobs" --output-on-failure
}

# The truth to compare with: Transformers, Accelerate, torch on the CPU.
step_venv() {
  [ -x $python ] || python3 -m venv build/venv || return 1
  grep '^torch==' tests/python/requirements.txt |
    xargs $python -m pip install -q &&
    $python -m pip install -q -r tests/python/requirements.txt
}

step_python() {
  $python -m pip install -q --no-build-isolation . &&
    $python -m mypy --strict bindings/python/memplan &&
    $python -m pytest -q tests/python
}

# Real Transformers, and recorded llama.cpp, against the library.
step_transformers() {
  local log=build/transformers_truth.log
  $python tests/oracle/transformers_truth.py "$MEMPLAN_SHARED/corpus/hf" --variants 1 $oracle_form >"$log" 2>&1 &
  local truth=$!
  $python tests/oracle/transformers_checkpoints.py &&
    $python tests/oracle/families/joined.py &&
    $python tests/oracle/transformers_loading.py $oracle_form &&
    $python tests/oracle/transformers_quantization.py build/libmemplan/cli/memplan
  local rest=$?
  wait "$truth"
  local status=$?
  cat "$log"
  [ "$status" -eq 0 ] && [ "$rest" -eq 0 ]
}
step_llamacpp() {
  $python tests/oracle/llamacpp_truth.py "$MEMPLAN_SHARED/oracle/llamacpp-v0.5.0" $oracle_form &&
    $python tests/oracle/llamacpp_truth.py tests/oracle/more &&
    $python tests/oracle/llamacpp_fit.py "$MEMPLAN_SHARED/oracle/llamacpp-v0.5.0"
}

# Installed into a scratch prefix, used from there as a stranger would.
step_examples() { bash tests/examples.sh build; }

step_bench() {
  cmake --build build --target bench &&
    $python tests/bench/bench_device_map.py &&
    $python tests/bench/bench_offload.py
}

all_steps=(packages build unit sanitizers venv python transformers llamacpp examples bench)
steps=("${all_steps[@]}")
oracle_form=""
case ${1:-} in
  --quick) steps=(packages build unit) ;;
  --long) oracle_form="--long"; export MEMPLAN_LONG=1 ;;
  "") ;;
  *) steps=("$@") ;;
esac

passed=0
failed=()
for step in "${steps[@]}"; do
  if ! declare -F "step_$step" >/dev/null; then
    echo "no step \"$step\"; the steps are: ${all_steps[*]}" >&2
    exit 2
  fi
  printf '\n==> %s\n' "$step"
  begin=$SECONDS
  if "step_$step"; then
    passed=$((passed + 1))
    printf '==> %s: passed in %d s\n' "$step" $((SECONDS - begin))
  else
    failed+=("$step")
    printf '==> %s: FAILED after %d s\n' "$step" $((SECONDS - begin))
    case $step in packages | build) break ;; esac
  fi
done

[ ${#failed[@]} -eq 0 ] || printf '\nfailed: %s\n' "${failed[*]}"
printf '\nsteps: %d passed, %d failed\n' "$passed" ${#failed[@]}
[ ${#failed[@]} -eq 0 ]
