#!/usr/bin/env bash
# Prints on stdout the Python to use; on stderr what is missing, each with the version found and the version wanted.
set -euo pipefail
problems=0

at_least() { # FOUND WANTED: numeric comparison of MAJOR.MINOR
  local found_major=${1%%.*} found_rest=${1#*.} wanted_major=${2%%.*} wanted_minor=${2#*.}
  local found_minor=${found_rest%%.*}
  [ "$found_major" -gt "$wanted_major" ] || { [ "$found_major" -eq "$wanted_major" ] && [ "$found_minor" -ge "$wanted_minor" ]; }
}

require() { # NAME FOUND WANTED HINT
  if [ -z "$2" ]; then
    echo "[setup] $1: not found, expected >= $3. $4" >&2
  elif ! at_least "$2" "$3"; then
    echo "[setup] $1: found $2, expected >= $3. $4" >&2
  else
    echo "[setup] $1 $2" >&2
    return
  fi
  problems=1
}

version_in() { sed -n 's/^[^0-9]*\([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p' | head -n 1; }

find_python() { # the first that runs and is new enough; $PYTHON wins. An older one is named only in the message.
  local candidate version
  for candidate in ${PYTHON:-python3 python3.12 python3.11 python3.13}; do
    version=$("$candidate" --version 2>/dev/null | version_in) || continue
    if [ -n "$version" ] && at_least "$version" 3.11 && "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

python=$(find_python)
found_python=$("${python:-python3}" --version 2>/dev/null | version_in || true)
require Python "$found_python" 3.11 "Install it with its venv module, or set PYTHON=/path/to/python3."
require Node "$(node --version 2>/dev/null | version_in || true)" 20.0 "See nodejs.org."
require npm "$(npm --version 2>/dev/null | version_in || true)" 9.0 "It comes with Node."
require Rust "$(rustc --version 2>/dev/null | version_in || true)" 1.91 "See rustup.rs (rustup update stable)."
require Cargo "$(cargo --version 2>/dev/null | version_in || true)" 1.91 "It comes with Rust."
if ! command -v "${CC:-cc}" >/dev/null 2>&1; then
  echo "[setup] C compiler: '${CC:-cc}' not found. Install gcc or clang, or set CC." >&2
  problems=1
fi
if [ -z "$python" ]; then
  echo "[setup] no Python >= 3.11 with the venv module." >&2
  problems=1
fi
[ "$problems" -eq 0 ] || exit 1
command -v "$python"
