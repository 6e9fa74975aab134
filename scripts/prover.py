"""`ape run prover --system sp1 --level execute --output out fib.proof …`: an aggregation of proof files, made here.

The provers that `ape run aggregate` runs, without gateway, database and chain: to try a level, and to measure it.
"""

from __future__ import annotations

from aligned.cli.prover import prover as cli

__all__ = ["cli"]
