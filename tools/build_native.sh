#!/usr/bin/env bash
# Builds the wheel of zkvm/native and installs it into .venv. Everything that is built stays outside the clone, and the
# wheel is kept under a digest of its sources, so that a second clone or a second setup installs it without building.
set -euo pipefail
cd "$(dirname "$0")/.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/aligned"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/cargo-target}"
python="$PWD/.venv/bin/python"
started=$(date +%s)

digest() { # one word that changes with the sources, the locked versions and the compiler
  {
    rustc -vV
    find zkvm/core zkvm/native -type f \( -name '*.rs' -o -name '*.toml' -o -name '*.pyi' \) -print0 | LC_ALL=C sort -z |
      xargs -0 cat zkvm/Cargo.toml zkvm/Cargo.lock
  } | "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest()[:32])'
}

wheels="$cache/wheels/$(digest)"
mkdir -p "$wheels"
wheel=$(find "$wheels" -name 'aligned_native-*.whl')
if [ -z "$wheel" ]; then
  echo "[native] building the extension (Cargo output in $CARGO_TARGET_DIR)"
  fresh=$(mktemp -d "$cache/wheels/build.XXXXXX")
  trap 'rm -rf "$fresh"' EXIT
  .venv/bin/maturin build --release --quiet --manylinux off --manifest-path zkvm/native/Cargo.toml --interpreter "$python" --out "$fresh"
  # A whole wheel appears under its digest in one step: an interrupted build leaves nothing behind that looks ready.
  mv "$fresh"/aligned_native-*.whl "$wheels/"
  wheel=$(find "$wheels" -name 'aligned_native-*.whl')
else
  echo "[native] using the wheel built before: $wheel"
fi
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$wheel"
"$python" -I -c 'import aligned_native'
echo "[native] installed in $(($(date +%s) - started)) s"
