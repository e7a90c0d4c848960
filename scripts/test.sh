#!/usr/bin/env bash
# Runs the tests; sets up their environment first. Arguments go to pytest: scripts/test.sh -k engine
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
use_environment test
command -v "${CXX:-c++}" >/dev/null ||
  say "no C++ compiler: the tests of the GPU's kernels are skipped (on Debian and Ubuntu: apt install g++)"
say "running the tests"
# Two tests at a time, each with one thread: -n 0 runs one, with all.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec "$PYTHON" -m pytest -n 2 --dist loadfile "$@"
