"""`ape run demo`: real proofs through the whole system, on a devnet of its own; writes .aligned/demo/report.json."""

from __future__ import annotations

from aligned.cli.devnet import demo as cli

__all__ = ["cli"]
