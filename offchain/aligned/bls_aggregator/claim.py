"""Takes out what the service manager has credited for answers."""

from __future__ import annotations

from dataclasses import dataclass

from aligned.bls_aggregator.service import open_context
from aligned.settings import Settings


@dataclass(frozen=True, slots=True)
class Claim:
    """What was withdrawn; no transaction when nothing was credited."""

    amount_wei: int
    tx_hash: bytes | None


async def claim(settings: Settings) -> Claim:
    """Withdraws the whole credited balance of the aggregator's account to itself.

    Raises:
        TxReverted: the contract refuses.
        DependencyError: chain or database do not answer.
    """
    async with open_context(settings) as context:
        manager, sender = context.chain.manager, context.sender
        amount_wei = await manager.balance_of(sender.address)
        if amount_wei == 0:
            return Claim(0, None)
        # A second claim of the same amount is another wish; the block tells them apart.
        key = f"claim:{await context.chain.client.block_number()}:{amount_wei}"
        receipt = await sender.send(key, manager.address, manager.encode_withdraw(amount_wei))
        return Claim(amount_wei, receipt.tx_hash)
