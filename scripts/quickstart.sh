#!/usr/bin/env bash
# From a fresh clone to contextual vectors: sets up .venv, embeds the sample text, shows a word.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/venv.sh" ""

.venv/bin/elmo-beam embed --input 'scripts/sample/*' --output out/sample --outputs elmo,lstm_outputs2
echo
.venv/bin/elmo-beam inspect out/sample --word "${1:-bank}"
