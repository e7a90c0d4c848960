#!/usr/bin/env bash
# Runs the tests; sets up their environment first. Arguments go to pytest: scripts/test.sh -k engine
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
use_environment test
command -v "${CXX:-c++}" >/dev/null ||
  say "no C++ compiler: the tests of the GPU's kernels are skipped (on Debian and Ubuntu: apt install g++)"
say "running the tests"
# Three files at a time, each with one thread, are what two cores need: a test that talks to nodes mostly waits.
# test/conftest.py puts the longest files first, so they keep that order. -n 0 runs one at a time, with all threads.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec "$PYTHON" -m pytest -n 3 --dist loadfile --no-loadscope-reorder "$@"
