"""`ape run demo`: real proofs through the whole system, on a devnet of its own.

Ends with a table and writes .aligned/demo/report.json; the exit code is 0 only if everything held.
"""

from __future__ import annotations

from aligned.cli.devnet import demo as cli

__all__ = ["cli"]
