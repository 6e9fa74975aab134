"""How far the chain is with a batch: its task is there, a quorum answered, and no reorganisation changes that."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

from aligned.chain.client import ChainClient
from aligned.chain.contracts import BatchStatus, ServiceManager
from aligned.core.batch import batch_id
from aligned.core.finality import confirmations
from aligned.sdk.models import Inclusion, State

# "posted" is the older name of "included".
Until: TypeAlias = Literal["included", "posted", "verified", "final"]

_WAIT_S = 600.0
# Final takes 64 blocks of twelve seconds longer.
_WAIT_FOR_FINAL_S = 1_800.0


def patience_s(until: Until, timeout_s: float | None) -> float:
    """The time that was asked for, else what each of them takes at most on a network that works."""
    if timeout_s is not None:
        return timeout_s
    return _WAIT_FOR_FINAL_S if until == "final" else _WAIT_S


class DepthReader:
    """What the contract itself says, now and below the head.

    Args:
        final_blocks: blocks above an answer from which it is final.
    """

    def __init__(self, chain: ChainClient, manager: ServiceManager, final_blocks: int) -> None:
        self._chain = chain
        self._manager = manager
        self._final_blocks = final_blocks

    async def status(self, root: bytes, sender: bytes) -> BatchStatus:
        """Status at the head."""
        return await self._manager.batch_status(root, sender)

    async def is_final(self, root: bytes, sender: bytes) -> bool:
        """Whether it was verified so many blocks ago already."""
        deep = await self._chain.block_number() - self._final_blocks
        return deep >= 0 and await self._manager.batch_status(root, sender, deep) is BatchStatus.VERIFIED

    async def has_reached(self, root: bytes, sender: bytes, until: Until) -> bool:
        """Whether a batch whose task is on chain is so far."""
        if until in ("included", "posted"):
            return True
        if await self.status(root, sender) is not BatchStatus.VERIFIED:
            return False
        return until == "verified" or await self.is_final(root, sender)

    async def reached(self, inclusion: Inclusion, until: Until) -> Inclusion | None:
        """The inclusion with what the contract says about its batch; None if it is not so far."""
        root, sender = inclusion.proof.batch_root, inclusion.sender_address
        if not await self.has_reached(root, sender, until):
            return None
        if until in ("included", "posted"):
            return inclusion
        task_block = (await self._manager.batches_state(batch_id(root, sender))).task_block
        held = confirmations(task_block or None, await self._chain.block_number())
        return replace(inclusion, state=State(until), confirmations=held)
