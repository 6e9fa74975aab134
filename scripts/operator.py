"""`ape run operator register|run|deregister|status --config operator.toml`: an operator of the quorum.

The settings name the deployment file, the RPC URLs and both keystores (ECDSA and BLS); see docs/operations.
"""

from __future__ import annotations

from aligned.cli.roles import operator as cli

__all__ = ["cli"]
