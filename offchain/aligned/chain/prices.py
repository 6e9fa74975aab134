"""What the chain asks per gas and per blob gas now."""

from __future__ import annotations

from aligned.chain.client import ChainClient
from aligned.chain.fees import Prices


async def read_prices(client: ChainClient, *, with_blobs: bool) -> Prices:
    """Base fee of the head, the usual tip, and the blob base fee when asked for.

    Raises:
        DependencyError: chain_unavailable; also for a chain without blobs when they are asked for.
    """
    base_fee_wei, tip_wei = await client.base_fee(), await client.priority_fee()
    return Prices(base_fee_wei, tip_wei, await client.blob_base_fee() if with_blobs else None)
