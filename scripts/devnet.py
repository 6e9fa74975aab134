"""`ape run devnet`: the whole system on this machine, on ports 8545, 8080 and 8070, until Ctrl-C.

Unmodified clients of the reference find it there: the contracts stand at the addresses that they have built in.
"""

from __future__ import annotations

from aligned.cli.devnet import devnet as cli

__all__ = ["cli"]
