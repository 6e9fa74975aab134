"""Asks the node what a transaction would do, before anything is signed."""

from __future__ import annotations

from aligned.chain.client import ChainClient, hex_bytes
from aligned.chain.fees import Fees
from aligned.chain.journal_rows import Request

# Estimates are for the state now; storage that another transaction touches first may cost more.
_GAS_MARGIN_PERCENT = 25


async def simulate(client: ChainClient, sender: bytes, wanted: Request, blob_offer: Fees | None) -> int:
    """The gas limit to use: the wanted one, else an estimate with a margin.

    Args:
        blob_offer: fees of a blob transaction; None for one without blobs.

    Raises:
        TxReverted: with the decoded reason.
    """
    more = None if blob_offer is None else _blob_fields(wanted, blob_offer)
    value_wei = wanted.value_wei
    await client.eth_call(wanted.to, wanted.data, sender=sender, value_wei=value_wei, more=more)
    if wanted.gas_limit:
        return wanted.gas_limit
    estimate = await client.estimate_gas(
        wanted.to, wanted.data, sender=sender, value_wei=value_wei, more=more
    )
    return estimate * (100 + _GAS_MARGIN_PERCENT) // 100


def _blob_fields(wanted: Request, offer: Fees) -> dict[str, object]:
    """What BLOBHASH reads, and the price at which the sender must be able to pay."""
    return {
        "blobVersionedHashes": [hex_bytes(each) for each in wanted.blob_hashes],
        "maxFeePerBlobGas": hex(offer.blob_fee_wei),
        "maxFeePerGas": hex(offer.max_fee_wei),
        "maxPriorityFeePerGas": hex(offer.priority_fee_wei),
    }
