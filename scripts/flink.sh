#!/usr/bin/env bash
# Runs `elmo-beam embed` on a Flink cluster of this machine, brought up for it and taken down after.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/venv.sh" ""

exec .venv/bin/python scripts/flink/run.py "$@"
