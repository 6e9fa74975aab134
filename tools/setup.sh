#!/usr/bin/env bash
# Prepares this clone: `make setup`. Needs Python >= 3.11, Node >= 20, Rust >= 1.91, a C compiler; no root, no Docker.
# Each step leaves a stamp with a digest of its inputs and is left out while these and its product are unchanged,
# so a second run takes seconds and needs no network.
set -euo pipefail
cd "$(dirname "$0")/.."
stamps=.venv/.setup
solc="${SOLCX_BINARY_PATH:-$HOME/.solcx}/solc-v$(sed -n 's/^  version: *\(0\.8\.[0-9]*\)$/\1/p' ape-config.yaml)"

digest_of() { # PATH...: one word that changes with the content of any file below them
  find "$@" -type f ! -path '*/target/*' ! -path '*/.cache/*' ! -path '*/__pycache__/*' -exec cksum {} + | LC_ALL=C sort | cksum | tr ' ' '-'
}

run_step() { # NAME DIGEST PRODUCT COMMAND...: runs the command unless the stamp and the product are there
  local name=$1 digest=$2 product=$3 started
  shift 3
  if [ -e "$product" ] && [ "$(cat "$stamps/$name" 2>/dev/null)" = "$digest" ]; then
    echo "[setup] $name: up to date"
    return
  fi
  echo "[setup] $name ..."
  started=$(date +%s)
  "$@" || { echo "[setup] $name failed (command: $*)" >&2; exit 1; }
  mkdir -p "$stamps"
  echo "$digest" >"$stamps/$name"
  echo "[setup] $name: $(($(date +%s) - started)) s"
}

make_venv() { # keeps the packages of one that has the same Python, starts again with another
  local minor='import sys; print(sys.version_info[:2])'
  if [ "$(.venv/bin/python -c "$minor" 2>/dev/null)" = "$("$python" -c "$minor")" ]; then
    "$python" -m venv .venv
  else
    "$python" -m venv --clear .venv
  fi
}
install_python_packages() { .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock; }
install_node_packages() {
  npm_config_update_notifier=false npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error
  trim_openzeppelin
}
# Ape looks at the first 500 files below contracts/, and it unpacks OpenZeppelin there (.cache): with the JSON of its build
# folders that is more than 500, and some of our own contracts would be missing from `project`.
trim_openzeppelin() { rm -rf node_modules/@openzeppelin/*/build contracts/.cache/*/*/build; }
install_this_package() {
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
}

total_started=$(date +%s)
# The environment must not be made from itself: make puts it first on PATH.
PATH=${PATH#"$PWD/.venv/bin:"}
python=$(tools/check_prerequisites.sh)
export PATH="$PWD/.venv/bin:$PATH"

run_step venv "$("$python" -c 'import sys; print(sys.executable, sys.version)' | cksum | tr ' ' '-')" .venv/bin/python make_venv
run_step python-packages "$(digest_of requirements.lock)" .venv/bin/ape install_python_packages
run_step node-packages "$(digest_of package.json)" node_modules/solc install_node_packages
run_step foundry-links "$(digest_of package.json tools/link_foundry.sh)" .venv/bin/anvil tools/link_foundry.sh
run_step solc "$(digest_of package.json ape-config.yaml tools/install-solc.sh tools/solc-shim.cjs)" \
  "$solc" tools/install-solc.sh
run_step aligned-package "$(digest_of pyproject.toml)" .venv/bin/aligned install_this_package
run_step native-extension "$(digest_of zkvm tools/build_native.sh)" .venv/bin/maturin tools/build_native.sh
run_step contracts "$(digest_of contracts ape-config.yaml tools/fresh_build.py)" .build/__local__.json .venv/bin/python tools/fresh_build.py
trim_openzeppelin
echo "[setup] ready in $(($(date +%s) - total_started)) s"
