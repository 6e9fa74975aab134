"""What the chain asks per gas and per blob gas now."""

from __future__ import annotations

from aligned.chain.client import ChainClient
from aligned.chain.fees import Prices
from aligned.chain.rpc import RpcError


async def read_prices(client: ChainClient, *, with_blobs: bool) -> Prices:
    """Base fee of the head, the usual tip, and the blob base fee when asked for.

    Raises:
        DependencyError: chain_unavailable; also for a chain without blobs when they are asked for.
    """
    base_fee_wei, tip_wei = await client.base_fee(), await client.priority_fee()
    return Prices(base_fee_wei, tip_wei, await blob_base_fee(client) if with_blobs else None)


async def blob_base_fee(client: ChainClient) -> int:
    """Blob base fee of the next block in wei; of the head where the node keeps no history of it."""
    try:
        history = await client.rpc("eth_feeHistory", "0x1", "latest", [])
        return int(history["baseFeePerBlobGas"][-1], 16)
    except (RpcError, KeyError, IndexError, TypeError):
        return int(await client.rpc("eth_blobBaseFee"), 16)
