"""`ape run batcher --config aligned.toml`: collects users' proofs into batches and posts them.

The settings name the deployment file, the RPC URLs and the keystore; see docs/operations.
"""

from __future__ import annotations

from aligned.cli.roles import run_batcher as cli

__all__ = ["cli"]
