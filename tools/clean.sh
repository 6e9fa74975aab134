#!/usr/bin/env bash
# Removes everything that setup, tests and the demo leave in this clone.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf .venv node_modules .build .foundry contracts/.cache .aligned .hypothesis .mypy_cache .ruff_cache .pytest_cache \
  .import_linter_cache offchain/*.egg-info
find . -name __pycache__ -type d -prune -exec rm -rf {} +
