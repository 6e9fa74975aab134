#!/usr/bin/env bash
# Links anvil, cast and forge of the npm packages into .venv/bin: Ape looks for `anvil` on PATH, and the real binary
# starts faster than npm's launcher and dies with its parent.
set -euo pipefail
cd "$(dirname "$0")/.."
platform=$(node -p "process.platform + '-' + ({x64: 'amd64'}[process.arch] || process.arch)")
for tool in anvil cast forge; do
  binary="node_modules/@foundry-rs/$tool-$platform/bin/$tool"
  if [ ! -x "$binary" ]; then
    echo "no $tool for $platform on npm: install Foundry 1.7.1 and put $tool on PATH" >&2
    command -v "$tool" >/dev/null || exit 1
    binary=$(command -v "$tool")
  fi
  case "$binary" in /*) target=$binary ;; *) target="$PWD/$binary" ;; esac
  ln -sf "$target" ".venv/bin/$tool"
done
.venv/bin/anvil --version | head -n 1
