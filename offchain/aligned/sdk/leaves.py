"""The commitments behind a root on chain: from the blobs while beacon nodes have them, else from an archive.

No source is trusted: what it gives must have the root and, as blobs, the versioned hashes that the contract checked. A
source that gives anything else is passed over, and named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aligned.chain.kzg import commitment_of
from aligned.core.aggregation import COMMITMENTS_PER_BLOB, AggregationSystem, AggregationTree, tree_of
from aligned.core.blob import decode_blob, encode_blobs, versioned_hash
from aligned.core.errors import AlignedError, DependencyError, ProofError
from aligned.core.types import HASH_BYTES
from aligned.sdk.beacon import BeaconNode
from aligned.sdk.gateway_http import GatewayHttp

LEAVES_UNAVAILABLE = "leaves_unavailable"
WRONG_LEAVES = "wrong_leaves"


@dataclass(frozen=True, slots=True, kw_only=True)
class RootOnChain:
    """What the contract knows about a root, and what its event says about the blobs.

    Attributes:
        program_id: the aggregation program that proved it.
        timestamp_s: of its block, Unix seconds.
    """

    root: bytes
    system: AggregationSystem
    leaf_count: int
    program_id: bytes
    block_number: int
    timestamp_s: int
    tx_hash: bytes
    versioned_hashes: tuple[bytes, ...]
    revoked: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A source that had nothing, or something else; why."""

    source: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Leaves:
    """The commitments behind a root, checked against it and against its blobs.

    Attributes:
        source: who gave them.
        refused: who was asked before, in vain.
    """

    found: RootOnChain
    commitments: tuple[bytes, ...]
    source: str
    refused: tuple[Refused, ...]

    @property
    def tree(self) -> AggregationTree:
        """The tree, for paths of one's own."""
        return tree_of(self.found.system, self.commitments)


class LeafSource(Protocol):
    """Somebody who may have the commitments."""

    @property
    def name(self) -> str:
        """For people: kind and address."""
        ...

    async def commitments(self, found: RootOnChain) -> list[bytes]:
        """What it gives, unchecked.

        Raises:
            AlignedError: it gives nothing of use.
        """
        ...


class BeaconSource:
    """The blobs, from a beacon node."""

    def __init__(self, node: BeaconNode) -> None:
        self._node = node

    @property
    def name(self) -> str:
        """For people."""
        return f"beacon {self._node.url}"

    async def commitments(self, found: RootOnChain) -> list[bytes]:
        """Takes from the node's blobs those that the contract named, in the contract's order."""
        slot = await self._node.slot_at(found.timestamp_s)
        given = await self._node.blobs(slot, found.versioned_hashes)
        hashes = await asyncio.to_thread(_versioned_hashes, given)
        by_hash = dict(zip(hashes, given, strict=True))
        listed: list[bytes] = []
        for wanted in found.versioned_hashes:
            if wanted not in by_hash:
                raise ProofError(WRONG_LEAVES, f"it gives no blob 0x{wanted.hex()}")
            part = min(COMMITMENTS_PER_BLOB, found.leaf_count - len(listed))
            listed += decode_blob(by_hash[wanted], part)
        return listed


class ArchiveSource:
    """The list that a gateway keeps."""

    def __init__(self, gateway: GatewayHttp, url: str) -> None:
        self._gateway = gateway
        self._url = url

    @property
    def name(self) -> str:
        """For people."""
        return f"archive {self._url}"

    async def commitments(self, found: RootOnChain) -> list[bytes]:
        """Cuts the gateway's answer in words of 32 bytes."""
        data = await self._gateway.leaves(found.root)
        if len(data) != HASH_BYTES * found.leaf_count:
            raise ProofError(WRONG_LEAVES, f"{len(data)} bytes for {found.leaf_count} commitments")
        return [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]


async def find_leaves(found: RootOnChain, sources: Sequence[LeafSource]) -> Leaves:
    """The commitments from the first source whose word can be checked.

    Raises:
        DependencyError: leaves_unavailable: none has them; what each gave is in the message.
    """
    refused: list[Refused] = []
    for source in sources:
        try:
            listed = await source.commitments(found)
            await asyncio.to_thread(check_leaves, found, listed)
        except AlignedError as error:
            refused.append(Refused(source.name, error.code, error.message))
        else:
            return Leaves(found, tuple(listed), source.name, tuple(refused))
    reasons = "; ".join(f"{each.source}: {each.code}: {each.message}" for each in refused)
    raise DependencyError(LEAVES_UNAVAILABLE, reasons or "no source of leaves is configured")


def check_leaves(found: RootOnChain, commitments: Sequence[bytes]) -> None:
    """Whether these are the commitments behind the root: their tree has it, their blobs have the hashes.

    Raises:
        ProofError: wrong_leaves.
    """
    if len(commitments) != found.leaf_count:
        raise ProofError(WRONG_LEAVES, f"{len(commitments)} commitments, the root has {found.leaf_count}")
    root = tree_of(found.system, commitments).root
    if root != found.root:
        raise ProofError(WRONG_LEAVES, f"they have the root 0x{root.hex()}")
    hashes = _versioned_hashes(encode_blobs(commitments))
    if tuple(hashes) != found.versioned_hashes:
        raise ProofError(WRONG_LEAVES, "they are not what the blobs on chain hold")


def _versioned_hashes(blobs: Sequence[bytes]) -> list[bytes]:
    """Raises InvariantError for a blob that is none (an element that is not below the modulus)."""
    return [versioned_hash(commitment_of(blob)) for blob in blobs]
