"""What the chain shows of a transaction that we sent."""

from __future__ import annotations

from aligned.chain.client import ChainClient
from aligned.chain.errors import TxReverted
from aligned.chain.journal_rows import Request
from aligned.chain.types import ChainReceipt

# A settled transaction is looked up again only while a reorganisation can still remove it.
_FINAL_BLOCKS = 64


async def is_confirmed(client: ChainClient, receipt: ChainReceipt, confirmations: int) -> bool:
    """Whether its block is still in the chain and so many blocks hold it."""
    if await client.block_number() < receipt.block_number + confirmations - 1:
        return False
    block = await client.get_block(receipt.block_number)
    return block is not None and block.hash == receipt.block_hash


async def is_final(client: ChainClient, request: Request) -> bool:
    """Whether a settled request is still so on chain (asked only while it can change)."""
    if request.receipt is None:
        return True
    if await client.block_number() > request.receipt.block_number + _FINAL_BLOCKS:
        return True
    found = await client.get_receipt(request.receipt.tx_hash)
    return found is not None and found.block_hash == request.receipt.block_hash


async def transaction_at(client: ChainClient, sender: bytes, nonce: int, last_block: int) -> bytes | None:
    """Hash of the transaction that used up `nonce`, read from the block that holds it; None while that is unclear.

    A missing receipt proves nothing: nodes index receipts some time after they count a transaction. So the block is
    searched, from the newest on, by the number of the account's transactions at its end, and looked through. All
    answers come from one node, which must have the state of the blocks since; otherwise it stays unclear.
    """
    node = client.pinned()
    block = await _block_of_nonce(node, sender, nonce, last_block)
    if block is None:
        return None
    found = await node.transactions_of(block)
    return next((each.tx_hash for each in found if (each.sender, each.nonce) == (sender, nonce)), None)


async def _block_of_nonce(node: ChainClient, sender: bytes, nonce: int, last_block: int) -> int | None:
    """The block at whose end the nonce is used and before which it is not; None when it is not used at all."""
    used, step = last_block, 1
    if await node.nonce(sender, used) <= nonce:
        return None
    unused = used
    while await node.nonce(sender, unused := max(0, used - step)) > nonce:
        if unused == 0:
            return 0
        used, step = unused, 2 * step
    while used - unused > 1:
        middle = (used + unused) // 2
        if await node.nonce(sender, middle) > nonce:
            used = middle
        else:
            unused = middle
    return used


async def why_reverted(client: ChainClient, sender: bytes, request: Request, receipt: ChainReceipt) -> str:
    """Replays the call on the state that it met, as far as blocks allow."""
    block = max(0, receipt.block_number - 1)
    try:
        await client.eth_call(
            request.to, request.data, sender=sender, value_wei=request.value_wei, block=block
        )
    except TxReverted as error:
        return error.reason
    return "reverted on chain, passes when replayed (out of gas, or a race in its block)"
