"""Takes out what the service manager has credited for answers."""

from __future__ import annotations

from dataclasses import dataclass

from aligned.bls_aggregator.service import open_context
from aligned.chain.errors import FEES_ABOVE_CAP
from aligned.core.errors import DependencyError
from aligned.settings import Settings

# withdraw() with its transfer, rounded up.
_CLAIM_GAS = 60_000
_GIVE_UP_AFTER_S = 120.0


@dataclass(frozen=True, slots=True)
class Claim:
    """What was withdrawn; no transaction when nothing was credited."""

    amount_wei: int
    tx_hash: bytes | None


async def claim(settings: Settings) -> Claim:
    """Withdraws the whole credited balance of the aggregator's account to itself.

    Raises:
        TxReverted: the contract refuses.
        TxCancelled: gas became dearer than the credit while it was pending.
        DependencyError: chain or database do not answer; fees_above_cap: it would cost more than it brings.
    """
    async with open_context(settings) as context:
        manager, sender = context.chain.manager, context.sender
        amount_wei = await manager.balance_of(sender.address)
        if amount_wei == 0:
            return Claim(0, None)
        # A second claim of the same amount is another wish; the block tells them apart.
        key = f"claim:{await context.chain.client.block_number()}:{amount_wei}"
        most_wei = amount_wei // _CLAIM_GAS
        if most_wei < await context.chain.client.gas_price():
            text = f"{amount_wei} wei are credited, less than taking them out costs now; wait for cheaper gas"
            raise DependencyError(FEES_ABOVE_CAP, text)
        receipt = await sender.send(
            key,
            manager.address,
            manager.encode_withdraw(amount_wei),
            max_fee_wei=most_wei,
            give_up_after_s=_GIVE_UP_AFTER_S,
        )
        return Claim(amount_wei, receipt.tx_hash)
