#!/usr/bin/env bash
# Runs `elmo-beam embed` on a Flink cluster of this machine, brought up for it and taken down after.
set -euo pipefail
here=$PWD
. "$(dirname "${BASH_SOURCE[0]}")/venv.sh" ""

root=$PWD
cd "$here"
exec "$root/.venv/bin/python" "$root/scripts/flink/run.py" "$@"
