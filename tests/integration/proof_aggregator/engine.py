"""A proving engine for tests of the aggregator: what it says is computed apart from the product, nothing is proven.

A proof's first bytes say what the engine makes of it: b"bad" it is refused, b"crash" the prover dies on it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import ckzg
from aligned_native import keccak256

from aligned.chain.kzg import trusted_setup
from aligned.core.aggregation import AggregationSystem, dev_proof
from aligned.core.blob import challenge, encode_blobs
from aligned.core.errors import AlignedError
from aligned.provers.base import ChunkResult, FinalResult, UserProof
from aligned.provers.errors import PROVER_CRASHED, PROVER_START, BadProof, ProverFailed
from aligned.provers.levels import ProvingLevel
from aligned.provers.results import load_chunk

NOT_PROVED = "nothing: a test's engine"


class ScriptedEngine:
    """A `ProvingEngine` that does what the proofs say.

    Attributes:
        down: it cannot be started.
        names_culprits: whether its verdicts say which proof is bad.
        lies: what it does to public values of final proofs.
        refuses: raised instead of a final proof.
        gate: it waits for this before each job.
        jobs: sizes of the chunks that it was asked for.
    """

    def __init__(self, folder: Path, programs: dict[AggregationSystem, bytes]) -> None:
        self.level = ProvingLevel.NATIVE
        self._folder = folder
        self._programs = programs
        self.down = False
        self.names_culprits = True
        self.lies: Callable[[bytes], bytes] = bytes
        self.refuses: AlignedError | None = None
        self.gate: asyncio.Event | None = None
        self.jobs: list[int] = []
        self.final_jobs = 0

    async def user_proofs(
        self, system: AggregationSystem, proofs: Sequence[UserProof], commitments: Sequence[bytes]
    ) -> ChunkResult:
        await self._begin()
        self.jobs.append(len(proofs))
        for index, proof in enumerate(proofs):
            assert isinstance(proof.proof, Path)
            data = proof.proof.read_bytes()
            if data.startswith(b"bad"):
                raise BadProof("does not verify", index if self.names_culprits else None)
            if data.startswith(b"crash"):
                raise ProverFailed(PROVER_CRASHED, "the worker was ended by SIGSEGV")
        count = len(commitments).to_bytes(32, "big")
        return self._result(system, "user_proofs", _root(system, commitments) + count)

    async def chunk(
        self,
        system: AggregationSystem,
        chunks: Sequence[ChunkResult],
        commitments: Sequence[Sequence[bytes]],
        versioned_hashes: Sequence[bytes],
    ) -> FinalResult:
        await self._begin()
        self.final_jobs += 1
        if self.refuses is not None:
            raise self.refuses
        flat = [each for part in commitments for each in part]
        root = _root(system, flat)
        public_values = root + len(flat).to_bytes(32, "big")
        for blob, blob_hash in zip(encode_blobs(flat), versioned_hashes, strict=True):
            point = challenge(root, len(flat), blob_hash).to_bytes(32, "big")
            public_values += blob_hash + ckzg.compute_kzg_proof(blob, point, trusted_setup())[1]
        done = self._result(system, "chunk", self.lies(public_values))
        fields = {name: getattr(done, name) for name in ChunkResult.__slots__}
        return FinalResult(**fields, proof=dev_proof(1, done.program_id, done.public_values))

    async def _begin(self) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise ProverFailed(PROVER_START, "the worker does not start")

    def _result(self, system: AggregationSystem, operation: str, public_values: bytes) -> ChunkResult:
        name = f"{system.wire_name}-{operation}-{hashlib.sha256(public_values).hexdigest()[:16]}"
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        summary = {
            "system": system.wire_name,
            "level": self.level,
            "program_id": "0x" + self._programs[system].hex(),
            "public_values": "0x" + public_values.hex(),
            "checked": [],
            "not_checked": [NOT_PROVED],
            "cycles": 7,
            "seconds": 0.1,
            "peak_rss_bytes": 1,
        }
        (folder / "public_values.bin").write_bytes(public_values)
        (folder / "result.json").write_text(json.dumps(summary))
        return load_chunk(folder)


def _root(system: AggregationSystem, commitments: Sequence[bytes]) -> bytes:
    """The tree of docs/spec/aggregation.md, by recursion instead of by levels."""
    leaves = [keccak256(b"\0" + bytes([system]) + each) for each in commitments]
    size = 1
    while size < len(leaves):
        size *= 2
    return _fold(leaves + [bytes(32)] * (size - len(leaves)))


def _fold(words: list[bytes]) -> bytes:
    if len(words) == 1:
        return words[0]
    middle = len(words) // 2
    return keccak256(b"\1" + _fold(words[:middle]) + _fold(words[middle:]))
