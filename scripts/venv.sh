# Sourced by the scripts beside this file: makes .venv at the root of the clone from the lock file,
# with `elmo-beam` in it. Usage: . scripts/venv.sh [EXTRAS], e.g. test
cd "$(dirname "${BASH_SOURCE[0]}")/.."
extras=${1:+[$1]}

find_python() {
  local name
  for name in python3 python3.13 python3.12 python3.11 python3.10; do
    if "$name" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "elmo-beam needs Python 3.10 to 3.13, and none is on PATH: install one of them" >&2
  return 1
}

if [ ! -x .venv/bin/python ]; then
  python=$(find_python)
  "$python" -m venv .venv || {
    rm -rf .venv
    echo "$python cannot make a virtual environment: install its venv module (python3-venv)" >&2
    exit 1
  }
fi

# What is installed already is not asked for again: the stamp says which lock, setup and extras.
wanted="$(cat requirements.lock setup.py | cksum) ${extras}"
stamp=.venv/elmo-beam.installed
if ! grep -qxF "$wanted" "$stamp" 2>/dev/null; then
  # Another lock's stamps are of no more use: its versions go now.
  grep -qF "${wanted% *} " "$stamp" 2>/dev/null || rm -f "$stamp"
  echo "installing into .venv (TensorFlow and Beam are large: some minutes)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --constraint requirements.lock --editable ".${extras}"
  echo "$wanted" >>"$stamp"
fi
