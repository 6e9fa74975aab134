"""Aggregations as the off-chain side makes them, and proofs of them under a key whose secrets are known.

For the contracts' tests and the gas figures: nothing here proves anything to anybody else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from aligned_native import keccak256

from aligned.chain.kzg import Sidecar, open_blob, sidecar_of
from aligned.core.aggregation import (
    AggregationSystem,
    AggregationTree,
    BlobPoint,
    ChunkOutput,
    commitment,
    tree_of,
)
from aligned.core.blob import challenge, encode_blobs
from groth16_key import Risc0Prover, SP1Prover, TrapdoorKey

SP1, RISC0 = AggregationSystem
KEY = TrapdoorKey.make()
USER_PROGRAM = keccak256(b"a user's program")
PROVERS: dict[AggregationSystem, SP1Prover | Risc0Prover] = {
    SP1: SP1Prover(
        KEY,
        bytes.fromhex("00c0ffee").ljust(32, b"\x11"),
        bytes.fromhex("4388a21c"),
        bytes.fromhex("002f850ee998974d6cc00e50cd0814b098c05bfade466d28573240d057f25352"),
    ),
    RISC0: Risc0Prover(
        KEY,
        keccak256(b"an aggregating image"),
        bytes.fromhex("a54dc85ac99f851c92d7c96d7318af41dbe7c0194edfcc37eb4d422a998c1f56"),
        bytes.fromhex("04446e66d300eb7fb45c9726bb53c793dda407a62e9601618bb43c5c14657ac0"),
    ),
}
KEYED = "forge/helpers/KeyedVerifiers.sol"
KEYED_NAMES = {SP1: "KeyedSP1Verifier", RISC0: "KeyedRisc0Verifier"}


def verifier_arguments(system: AggregationSystem) -> tuple[Any, ...]:
    """Constructor arguments of the product's verifier under the known key."""
    prover = PROVERS[system]
    if isinstance(prover, SP1Prover):
        return KEY.abi(), prover.selector, prover.vk_root, prover.program_id
    return KEY.abi(), prover.program_id, prover.control_root, prover.control_id


@dataclass(frozen=True)
class Aggregate:
    """What a prover aggregated, and what a transaction carries of it."""

    system: AggregationSystem
    commitments: tuple[bytes, ...]
    tree: AggregationTree
    sidecar: Sidecar
    output: ChunkOutput
    openings: bytes

    @property
    def root(self) -> bytes:
        """The root, 32 bytes."""
        return self.tree.root

    @property
    def public_inputs(self) -> bytes:
        """What the aggregating program commits to."""
        return self.output.encode()

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """Versioned hashes of its blobs."""
        return self.sidecar.versioned_hashes

    def proof(self, **changes: Any) -> bytes:
        """A proof of the public inputs; `changes` as the prover takes them."""
        return PROVERS[self.system].prove(self.public_inputs, **changes)

    def claiming(self, **fields: Any) -> Aggregate:
        """The same with another output; a proof of it exists under the tests' key, whatever it says."""
        return replace(self, output=replace(self.output, **fields))


def user_input(index: int, label: str = "") -> bytes:
    """Public inputs of the user proof at an index."""
    return f"{label} public input {index}".encode()


@cache
def aggregate(system: AggregationSystem, count: int, label: str = "") -> Aggregate:
    """An aggregation of that many proofs of one program."""
    commitments = tuple(commitment(user_input(i, label), USER_PROGRAM) for i in range(count))
    tree = tree_of(system, commitments)
    blobs = tuple(encode_blobs(commitments))
    sidecar = sidecar_of(blobs)
    hashes = sidecar.versioned_hashes
    opened = [
        open_blob(blob, challenge(tree.root, count, name)) for blob, name in zip(blobs, hashes, strict=True)
    ]
    points = tuple(BlobPoint(name, opening.y) for name, opening in zip(hashes, opened, strict=True))
    pairs = zip(sidecar.commitments, opened, strict=True)
    openings = b"".join(point + opening.proof for point, opening in pairs)
    return Aggregate(system, commitments, tree, sidecar, ChunkOutput(tree.root, count, points), openings)
