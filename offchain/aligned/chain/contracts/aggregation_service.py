"""AlignedProofAggregationService: roots of aggregated proofs, and inclusion under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from aligned.chain.client import BlockId
from aligned.chain.contracts.bound import BoundContract
from aligned.chain.deployment import address_bytes
from aligned.chain.types import LogEntry
from aligned.core.aggregation import AggregationSystem


class ProgramStatus(IntEnum):
    """What may be done with an aggregating program."""

    UNKNOWN = 0
    ALLOWED = 1
    DISALLOWED = 2
    REVOKED = 3


@dataclass(frozen=True, slots=True)
class ProgramState:
    """An aggregating program; `system` is None and `verifier` zero for an unknown one."""

    system: AggregationSystem | None
    status: ProgramStatus
    verifier: bytes


@dataclass(frozen=True, slots=True)
class AggregatedRoot:
    """The record of a root.

    Attributes:
        timestamp_s: of its block, Unix seconds.
        program_id: the aggregating program.
        blobs: how many carry its commitments.
    """

    system: AggregationSystem
    leaf_count: int
    block_number: int
    timestamp_s: int
    program_id: bytes
    blobs: int
    revoked: bool


@dataclass(frozen=True, slots=True)
class AggregatedProof:
    """AggregatedProofVerified: a root was recorded."""

    root: bytes
    system: AggregationSystem
    program_id: bytes
    leaf_count: int
    versioned_hashes: tuple[bytes, ...]
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int


class AggregationService(BoundContract):
    """AlignedProofAggregationService."""

    abi_name = "AlignedProofAggregationService"

    async def aggregated_root(self, root: bytes, block: BlockId = "latest") -> AggregatedRoot | None:
        """The record of a root, None if there is none."""
        system, *rest = await self._call("aggregatedProofs", root, block=block)
        return None if system == 0 else AggregatedRoot(AggregationSystem(system), *rest)

    async def program(self, program_id: bytes, block: BlockId = "latest") -> ProgramState:
        """What may be done with an aggregating program."""
        system, status, verifier = await self._call("programOf", program_id, block=block)
        known = None if system == 0 else AggregationSystem(system)
        return ProgramState(known, ProgramStatus(status), address_bytes(verifier))

    async def program_ids(self, block: BlockId = "latest") -> list[bytes]:
        """All programs that were ever allowed, in that order."""
        return [bytes(each) for each in await self._call("programIds", block=block)]

    async def verification_paused(self, block: BlockId = "latest") -> bool:
        """Whether no new roots are taken."""
        return bool(await self._call("verificationPaused", block=block))

    async def verify_proof_inclusion(
        self,
        root: bytes,
        system: AggregationSystem,
        program_id: bytes,
        public_inputs: bytes,
        index: int,
        path: bytes,
        block: BlockId = "latest",
    ) -> bool:
        """Whether a proof of the user's program with these public inputs is under the root."""
        args = (root, int(system), program_id, public_inputs, index, path)
        return bool(await self._call("verifyProofInclusion", *args, block=block))

    async def verify_leaf_inclusion(
        self,
        root: bytes,
        system: AggregationSystem,
        commitment: bytes,
        index: int,
        path: bytes,
        block: BlockId = "latest",
    ) -> bool:
        """The same for keccak(public inputs ‖ program)."""
        args = (root, int(system), commitment, index, path)
        return bool(await self._call("verifyLeafInclusion", *args, block=block))

    def encode_verify(
        self,
        system: AggregationSystem,
        program_id: bytes,
        public_inputs: bytes,
        proof: bytes,
        openings: bytes,
    ) -> bytes:
        """Calldata of verifySP1 or verifyRisc0."""
        if system is AggregationSystem.SP1:
            return self._encode("verifySP1", program_id, public_inputs, proof, openings)
        return self._encode("verifyRisc0", program_id, proof, public_inputs, openings)

    def encode_revoke_roots(self, roots: Sequence[bytes]) -> bytes:
        """Calldata of revokeRoots."""
        return self._encode("revokeRoots", list(roots))

    def encode_revoke_roots_of(self, program_id: bytes, roots: Sequence[bytes]) -> bytes:
        """Calldata of revokeRootsOf."""
        return self._encode("revokeRootsOf", program_id, list(roots))

    def parse_aggregated_proof(self, log: LogEntry) -> AggregatedProof:
        """Decodes AggregatedProofVerified.

        Raises:
            ProtocolError: malformed_abi.
        """
        fields = self._decode("AggregatedProofVerified", log)
        return AggregatedProof(
            root=fields["root"],
            system=AggregationSystem(fields["systemId"]),
            program_id=fields["programId"],
            leaf_count=fields["leafCount"],
            versioned_hashes=tuple(fields["versionedHashes"]),
            block_number=log.block_number,
            block_hash=log.block_hash,
            tx_hash=log.tx_hash,
            log_index=log.log_index,
        )
