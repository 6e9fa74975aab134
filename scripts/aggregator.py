"""`ape run aggregator --config aligned.toml`: collects operators' signatures and answers tasks on chain.

The settings name the deployment file, the RPC URLs and the keystore; see docs/operations.
"""

from __future__ import annotations

from aligned.cli.roles import run_aggregator as cli

__all__ = ["cli"]
