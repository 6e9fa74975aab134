"""Roots as the contract has them."""

from __future__ import annotations

from aligned.core.errors import CHAIN_UNAVAILABLE, ConflictError, DependencyError
from aligned.proof_aggregator.context import Context
from aligned.storage.aggregation.aggregations import ROOT_REVOKED, Mined


class RootRevoked(ConflictError):
    """The contract's guardian revoked this root: it stays recorded for ever, and nothing under it counts."""

    def __init__(self, root: bytes) -> None:
        super().__init__(ROOT_REVOKED, f"root 0x{root.hex()} is revoked on chain")


async def is_recorded(context: Context, root: bytes) -> bool:
    """Whether the contract has the root.

    Raises:
        RootRevoked: it has, and what is under it does not count.
        DependencyError: chain_unavailable.
    """
    record = await context.service.aggregated_root(root)
    if record is not None and record.revoked:
        raise RootRevoked(root)
    return record is not None


async def find_record(context: Context, root: bytes) -> Mined:
    """The transaction that recorded a root, whoever sent it.

    Raises:
        DependencyError: chain_unavailable, when the contract has no such root, or the node not yet its event.
        RootRevoked: whoever sent it, nothing under it counts.
    """
    service = context.service
    record = await service.aggregated_root(root)
    if record is None:
        raise DependencyError(CHAIN_UNAVAILABLE, f"root 0x{root.hex()} is not on chain (any more)")
    if record.revoked:
        raise RootRevoked(root)
    topics = [service.topic("AggregatedProofVerified"), root]
    block = record.block_number
    for log in await context.client.get_logs(service.address, topics, block, block):
        return Mined(log.tx_hash, log.block_number, log.block_hash)
    raise DependencyError(CHAIN_UNAVAILABLE, f"no event for root 0x{root.hex()} in block {block}")
