"""Roots as the contract has them."""

from __future__ import annotations

from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError
from aligned.proof_aggregator.context import Context
from aligned.storage.aggregation.aggregations import Mined


async def find_record(context: Context, root: bytes) -> Mined:
    """The transaction that recorded a root, whoever sent it.

    Raises:
        DependencyError: chain_unavailable, when the contract has no such root, or the node not yet its event.
    """
    service = context.service
    record = await service.aggregated_root(root)
    if record is None:
        raise DependencyError(CHAIN_UNAVAILABLE, f"root 0x{root.hex()} is not on chain (any more)")
    topics = [service.topic("AggregatedProofVerified"), root]
    block = record.block_number
    for log in await context.client.get_logs(service.address, topics, block, block):
        return Mined(log.tx_hash, log.block_number, log.block_hash)
    raise DependencyError(CHAIN_UNAVAILABLE, f"no event for root 0x{root.hex()} in block {block}")
