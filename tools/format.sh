#!/usr/bin/env bash
# Rewrites Python, Solidity and Rust sources in the house format.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff check --fix-only --quiet .
.venv/bin/ruff format --quiet .
.venv/bin/forge fmt
cargo fmt --manifest-path zkvm/Cargo.toml --all
cargo fmt --manifest-path zkvm/prover/Cargo.toml --all
for system in sp1 risc0; do cargo fmt --manifest-path "zkvm/programs/$system/Cargo.toml" --all; done
cargo fmt --manifest-path zkvm/programs/identify/Cargo.toml
