"""Roots as the contract has recorded them."""

from __future__ import annotations

from aligned.chain.client import ChainClient
from aligned.chain.contracts import AggregationService
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError, ProtocolError
from aligned.sdk.aggregation_models import placement
from aligned.sdk.leaves import RootOnChain
from aligned.wire.gateway import Receipt

UNKNOWN_ROOT = "unknown_root"


class Roots:
    """The proof aggregation service, for reading."""

    def __init__(self, chain: ChainClient, aggregation_service: str) -> None:
        self._chain = chain
        self._service = AggregationService(chain, aggregation_service)

    async def includes(self, receipt: Receipt, public_inputs: bytes | None) -> bool:
        """Asks about the receipt's commitment, or about public inputs and the receipt's program."""
        place, index, path = placement(receipt)
        system = AggregationSystem.from_wire(receipt.system)
        if public_inputs is None:
            return await self._service.verify_leaf_inclusion(
                place.root, system, receipt.commitment, index, path
            )
        return await self._service.verify_proof_inclusion(
            place.root, system, receipt.program_id, public_inputs, index, path
        )

    async def why_not(self, receipt: Receipt) -> str:
        """Why the receipt's root does not count as the contract has it now; "" if it does.

        Raises:
            ProofError: not_aggregated.
        """
        root = placement(receipt)[0].root
        record = await self._service.aggregated_root(root)
        if record is None:
            return f"the chain has no root 0x{root.hex()} (yet, or any more)"
        if record.revoked:
            return (
                f"root 0x{root.hex()} is revoked on chain: the proof is aggregated again, or rejected (root_revoked)"
                " with its quota back; look at its status"
            )
        return ""

    async def find(self, root: bytes) -> RootOnChain:
        """The record of a root, and the blobs of the transaction that recorded it.

        Raises:
            ProtocolError: unknown_root.
            DependencyError: chain_unavailable: the node has the record and not its event.
        """
        record = await self._service.aggregated_root(root)
        if record is None:
            raise ProtocolError(UNKNOWN_ROOT, f"no aggregation 0x{root.hex()} is recorded on chain")
        topics = [self._service.topic("AggregatedProofVerified"), root]
        block = record.block_number
        for log in await self._chain.get_logs(self._service.address, topics, block, block):
            event = self._service.parse_aggregated_proof(log)
            return RootOnChain(
                root=root,
                system=record.system,
                leaf_count=record.leaf_count,
                program_id=record.program_id,
                block_number=block,
                timestamp_s=record.timestamp_s,
                tx_hash=log.tx_hash,
                versioned_hashes=event.versioned_hashes,
                revoked=record.revoked,
            )
        raise DependencyError(CHAIN_UNAVAILABLE, f"block {block} has no event of root 0x{root.hex()}")
