"""`ape run poller --config aligned.toml`: payments of aggregation mode become quotas.

The settings name the deployment file, the RPC URLs and the shared database; see docs/operations.
"""

from __future__ import annotations

from aligned.cli.aggregation_roles import run_poller as cli

__all__ = ["cli"]
