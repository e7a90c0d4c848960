#!/usr/bin/env bash
# Runs the tests; sets up their environment first. Arguments go to pytest: scripts/test.sh -k engine
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
use_environment test
say "running the tests"
exec "$PYTHON" -m pytest "$@"
