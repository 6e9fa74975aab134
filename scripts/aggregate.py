"""`ape run aggregate --config aligned.toml`: proves the queue's proofs together and puts their root on Ethereum.

The settings name the deployment file, the RPC URLs and the shared database; see docs/operations.
"""

from __future__ import annotations

from aligned.cli.aggregation_roles import run_proof_aggregator as cli

__all__ = ["cli"]
