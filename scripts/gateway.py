"""`ape run gateway --config aligned.toml`: takes proofs for aggregation; its API is described at /docs.

The settings name the deployment file, the RPC URLs and the shared database; see docs/operations.
"""

from __future__ import annotations

from aligned.cli.aggregation_roles import run_gateway as cli

__all__ = ["cli"]
