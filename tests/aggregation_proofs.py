"""Real proofs for tests of aggregation mode: user proofs of both systems, and the aggregations made of them.

`tests/vectors/aggregation_proofs/<system>/` holds one real aggregation a system, made by tools/prove_fixtures.py.
"""

from __future__ import annotations

import functools
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aligned_native as native

from aligned.core.aggregation import AggregationSystem, commitment
from aligned.provers.base import UserProof

VECTORS = Path(__file__).parent / "vectors"
SP1, RISC0 = AggregationSystem.SP1, AggregationSystem.RISC0
GUESTS = Path(__file__).resolve().parents[1] / "zkvm" / "elf"


@dataclass(frozen=True)
class Statement:
    """A proof, its key, and what it says."""

    proof: bytes
    key: bytes
    public_values: bytes

    def verdict(self, system: AggregationSystem) -> native.Verdict:
        """Of the verify-only crates."""
        if system is SP1:
            return native.verify_sp1(self.proof, self.public_values, self.key, None)
        return native.verify_risc0(self.proof, self.public_values, self.key)

    def commitment(self, system: AggregationSystem) -> bytes:
        """What a blob lists for it."""
        program = native.sp1_vkey_hash(self.key) if system is SP1 else self.key
        return commitment(self.public_values, program)

    @property
    def user_proof(self) -> UserProof:
        """As an engine takes it."""
        return UserProof(self.proof, self.key, self.public_values)


@dataclass(frozen=True)
class Chunk:
    """A chunk's proof and the user proofs in it."""

    statement: Statement
    user_proofs: tuple[Statement, ...]


@dataclass(frozen=True)
class Aggregation:
    """A whole aggregation."""

    system: AggregationSystem
    chunks: tuple[Chunk, ...]
    final: Statement
    versioned_hashes: tuple[bytes, ...]

    @property
    def commitments(self) -> list[list[bytes]]:
        """Of each chunk, computed from the user proofs."""
        return [[proof.commitment(self.system) for proof in chunk.user_proofs] for chunk in self.chunks]


def guest_key(system: AggregationSystem, guest: str) -> bytes:
    """What a verifier takes for one of our guests: the saved key, the image id."""
    if system is SP1:
        return (GUESTS / f"sp1_{guest}.vk").read_bytes()
    ids = json.loads((GUESTS / "program_ids.json").read_text())
    return unhex(ids["risc0"][guest]["program_id"])


def described(system: AggregationSystem) -> dict[str, Any]:
    """aggregation.json as it is."""
    path = VECTORS / "aggregation_proofs" / system.wire_name / "aggregation.json"
    return dict(json.loads(path.read_text()))


@functools.cache
def aggregation(system: AggregationSystem) -> Aggregation:
    """The stored aggregation of a system."""
    stored = described(system)
    with zipfile.ZipFile(VECTORS / "aggregation_proofs" / system.wire_name / "proofs.zip") as archive:
        proofs = {name: archive.read(name) for name in archive.namelist()}

    def statement(entry: dict[str, Any], key: bytes) -> Statement:
        return Statement(proofs[entry["proof"]], key, unhex(entry["public_values"]))

    def user_proof(entry: dict[str, Any]) -> Statement:
        path = VECTORS / entry["proof"]
        proof = proofs[entry["proof"]] if entry["proof"] in proofs else path.read_bytes()
        return Statement(proof, unhex(entry["key"]), unhex(entry["public_inputs"]))

    child = guest_key(system, "user_proofs")
    chunks = tuple(
        Chunk(statement(entry, child), tuple(user_proof(proof) for proof in entry["user_proofs"]))
        for entry in stored["chunks"]
    )
    final = statement(stored["final"], guest_key(system, "chunk"))
    return Aggregation(system, chunks, final, tuple(unhex(each) for each in stored["versioned_hashes"]))


def sample_proofs(system: AggregationSystem) -> list[Statement]:
    """User proofs that are vectors by themselves."""
    if system is RISC0:
        stems = [VECTORS / "risc0" / f"fib3_{n}_composite" for n in (20, 30)]
        files = [
            [stem.with_suffix(suffix).read_bytes() for suffix in (".proof", ".id", ".pub")] for stem in stems
        ]
        return [Statement(*each) for each in files]
    meta = json.loads((VECTORS / "sp1" / "meta.json").read_text())["proofs"]
    names = {"fib_a": "fib", "fib_b": "fib", "agg": "agg"}
    return [
        Statement(
            (VECTORS / "sp1" / f"{name}.compressed.proof").read_bytes(),
            (VECTORS / "sp1" / f"{key}.vk").read_bytes(),
            unhex(meta[f"{name}.compressed.proof"]["public_values"]),
        )
        for name, key in names.items()
    ]


def unhex(text: str) -> bytes:
    """Bytes of 0x text."""
    return bytes.fromhex(text.removeprefix("0x"))
