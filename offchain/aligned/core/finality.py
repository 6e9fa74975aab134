"""How deep is deep enough."""

from __future__ import annotations

# Two epochs: Ethereum finalises a block after about as many.
FINAL_DEPTH_BLOCKS = 64


def confirmations(block: int | None, head: int | None) -> int | None:
    """Blocks that hold what is in `block`, its own included; None where either is unknown."""
    if block is None or head is None:
        return None
    return max(0, head - block + 1)
