"""Makes one real aggregation of a system, of four user proofs in two chunks, and packs it as fixtures for the tests.

    tools/prove_fixtures.py sp1|risc0 [--keep FOLDER] [--guests FOLDER]

SP1: some 40 minutes of two cores and 17 GiB; RISC0: some 15 minutes and 2 GiB. Every finished proof stays in FOLDER, so
that a run that was stopped goes on where it was. The verify-only crates check the proofs before they are packed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aligned_native

from aligned.chain.kzg import hashes_of
from aligned.core.aggregation import AggregationSystem, commitment
from aligned.core.blob import encode_blobs
from aligned.provers.base import ChunkResult, Progress, UserProof
from aligned.provers.commands import worker_command
from aligned.provers.levels import ProvingLevel
from aligned.provers.process import ProcessEngine
from aligned.provers.programs import PROGRAMS
from aligned.provers.results import read_proof

SP1, RISC0 = AggregationSystem.SP1, AggregationSystem.RISC0
VECTORS = Path(__file__).resolve().parent.parent / "tests" / "vectors"
FIXTURES = VECTORS / "aggregation_proofs"
LEVELS = {SP1: ProvingLevel.COMPRESSED, RISC0: ProvingLevel.COMPOSITE}
CHUNK_PROOFS = 2
# Proofs that are among the vectors already, and arguments of the Fibonacci guest for the others.
STORED = {
    SP1: [("sp1/fib_a.compressed.proof", "sp1/fib.vk"), ("sp1/fib_b.compressed.proof", "sp1/fib.vk"),
          ("sp1/agg.compressed.proof", "sp1/agg.vk")],
    RISC0: [("risc0/fib3_20_composite.proof", "risc0/fib3_20_composite.id"),
            ("risc0/fib3_30_composite.proof", "risc0/fib3_30_composite.id")],
}  # fmt: skip
EXAMPLES = {SP1: [46], RISC0: [40, 46]}


@dataclass(frozen=True)
class Entry:
    """A user proof and where the fixture finds it: a path below tests/vectors, or a name in proofs.zip."""

    name: str
    proof: UserProof
    content: tuple[bytes, bytes, bytes]

    def commitment(self, system: AggregationSystem) -> bytes:
        """What the blob lists."""
        _, key, values = self.content
        return commitment(values, aligned_native.sp1_vkey_hash(key) if system is SP1 else key)


def stored_entry(system: AggregationSystem, proof: str, key: str) -> Entry:
    """A proof of tests/vectors."""
    if system is SP1:
        meta = json.loads((VECTORS / "sp1" / "meta.json").read_text())
        values = bytes.fromhex(meta["proofs"][Path(proof).name]["public_values"][2:])
    else:
        values = (VECTORS / proof).with_suffix(".pub").read_bytes()
    return entry_of(proof, (VECTORS / proof).read_bytes(), (VECTORS / key).read_bytes(), values)


def entry_of(name: str, proof: bytes, key: bytes, values: bytes) -> Entry:
    """An entry of bytes in memory."""
    return Entry(name, UserProof(proof, key, values), (proof, key, values))


async def example_entry(engine: ProcessEngine, system: AggregationSystem, n: int, key: bytes) -> Entry:
    """A proof of our own Fibonacci guest."""
    result = await engine.prove_example(system, n)
    return entry_of(f"fibonacci_{n}.proof", read_proof(result.directory), key, result.public_values)


def program_key(system: AggregationSystem, name: str, guests: Path) -> bytes:
    """What a verifier takes for one of our guests."""
    if system is SP1:
        return (guests / f"sp1_{name}.vk").read_bytes()
    ids = json.loads((guests / "program_ids.json").read_text())
    return bytes.fromhex(ids["risc0"][name]["program_id"][2:])


def verify(system: AggregationSystem, proof: bytes, key: bytes, values: bytes) -> None:
    """Stops unless the verify-only crates accept the proof."""
    if system is SP1:
        verdict = aligned_native.verify_sp1(proof, values, key, None)
    else:
        verdict = aligned_native.verify_risc0(proof, values, key)
    if not verdict.valid:
        sys.exit(f"the proof does not verify: {verdict}")


def say(started: float, progress: Progress) -> None:
    """Prints a step."""
    print(f"[{time.monotonic() - started:7.0f} s] {progress.job}: {progress.step}", flush=True)


async def make(system: AggregationSystem, work: Path, guests: Path, binaries: Path | None) -> None:
    """Proves, verifies, packs."""

    def commands(which: AggregationSystem, level: ProvingLevel) -> Any:
        log = work / f"{which.wire_name}.log"
        return worker_command(which, level, log, folder=binaries, programs=guests)

    started = time.monotonic()
    async with ProcessEngine(LEVELS[system], work, commands, on_progress=partial(say, started)) as engine:
        key = program_key(system, "fibonacci", guests)
        entries = [stored_entry(system, *paths) for paths in STORED[system]]
        entries += [await example_entry(engine, system, n, key) for n in EXAMPLES[system]]
        parts = [entries[at : at + CHUNK_PROOFS] for at in range(0, len(entries), CHUNK_PROOFS)]
        commitments = [[entry.commitment(system) for entry in part] for part in parts]
        chunks = [
            await engine.user_proofs(system, [entry.proof for entry in part], known)
            for part, known in zip(parts, commitments, strict=True)
        ]
        hashes = hashes_of(encode_blobs([each for part in commitments for each in part]))
        final = await engine.chunk(system, chunks, commitments, hashes)
    for name, result in [*(("user_proofs", chunk) for chunk in chunks), ("chunk", final)]:
        verify(system, read_proof(result.directory), program_key(system, name, guests), result.public_values)
    pack(system, parts, commitments, hashes, chunks, final)
    print(
        f"{system.name}: {len(entries)} user proofs in {len(parts)} chunks, all verified: {FIXTURES / system.wire_name}"
    )


def pack(
    system: AggregationSystem,
    parts: list[list[Entry]],
    commitments: list[list[bytes]],
    hashes: Sequence[bytes],
    chunks: list[ChunkResult],
    final: ChunkResult,
) -> None:
    """Writes aggregation.json and proofs.zip."""
    folder = FIXTURES / system.wire_name
    folder.mkdir(parents=True, exist_ok=True)
    described: dict[str, Any] = {
        "system": system.wire_name,
        "versioned_hashes": [hexed(each) for each in hashes],
    }
    with zipfile.ZipFile(folder / "proofs.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for entry in (entry for part in parts for entry in part if "/" not in entry.name):
            add(archive, entry.name, entry.content[0])
        described["chunks"] = []
        for index, (part, known, chunk) in enumerate(zip(parts, commitments, chunks, strict=True)):
            add(archive, f"chunk_{index}.proof", read_proof(chunk.directory))
            proofs = [described_entry(entry, known[place]) for place, entry in enumerate(part)]
            described["chunks"].append(
                {"proof": f"chunk_{index}.proof", **described_result(chunk), "user_proofs": proofs}
            )
        add(archive, "final.proof", read_proof(final.directory))
        described["final"] = {"proof": "final.proof", **described_result(final)}
    (folder / "aggregation.json").write_text(json.dumps(described, indent=2) + "\n")


def add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Adds a file with a fixed date, so that the same proofs give the same archive."""
    info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, content)


def described_entry(entry: Entry, known: bytes) -> dict[str, str]:
    """A user proof in aggregation.json."""
    _, key, values = entry.content
    return {
        "proof": entry.name,
        "key": hexed(key),
        "public_inputs": hexed(values),
        "commitment": hexed(known),
    }


def described_result(result: ChunkResult) -> dict[str, Any]:
    """A run in aggregation.json."""
    return {
        "program_id": hexed(result.program_id),
        "public_values": hexed(result.public_values),
        "cycles": result.cycles,
        "seconds": round(result.seconds, 1),
        "peak_rss_bytes": result.peak_rss_bytes,
    }


def hexed(data: bytes) -> str:
    """0x and hex digits."""
    return "0x" + data.hex()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("system", choices=[system.wire_name for system in AggregationSystem])
    parser.add_argument("--keep", type=Path, default=Path.home() / ".cache" / "aligned" / "prove-fixtures")
    parser.add_argument("--guests", type=Path, default=PROGRAMS)
    parser.add_argument("--binaries", type=Path)
    options = parser.parse_args()
    system = AggregationSystem.from_wire(options.system)
    asyncio.run(make(system, options.keep.resolve(), options.guests.resolve(), options.binaries))


if __name__ == "__main__":
    main()
