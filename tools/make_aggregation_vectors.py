"""Writes tests/vectors/aggregation/*.json with the plain implementation of tests/reference.

The files are read by the tests of Python, Rust and Solidity. Run it after a change of the format:
`.venv/bin/python tools/make_aggregation_vectors.py`. It is deterministic.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.reference import aggregation as plain  # noqa: E402
from tests.reference.leaf import keccak256  # noqa: E402

VECTORS = ROOT / "tests" / "vectors" / "aggregation"
TREE_SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 17, 35)
BLOB_SIZES = (1, 2, 30, 31, 32, 257, 3967, 3968)
CHUNKS = ([1], [2, 2], [4, 1, 3], [256, 255], [3968], [3968, 1], [2000, 1969, 3968])


def hexed(data: bytes) -> str:
    """0x text."""
    return "0x" + data.hex()


def made(seed: str, count: int) -> list[bytes]:
    """Commitments that every test makes in the same way, so that thousands need not be written down."""
    return [keccak256(f"{seed} {i}".encode()) for i in range(count)]


def tree(system_id: int, size: int) -> dict[str, Any]:
    """From public inputs and program ids to root and paths."""
    inputs = [bytes(range(i % 7)) * i for i in range(size)]
    programs = [keccak256(b"program %d" % (i % 3)) for i in range(size)]
    commitments = [plain.commitment(*pair) for pair in zip(inputs, programs, strict=True)]
    leaves = [plain.leaf(system_id, item) for item in commitments]
    return {
        "system_id": system_id,
        "public_inputs": [hexed(item) for item in inputs],
        "program_ids": [hexed(item) for item in programs],
        "commitments": [hexed(item) for item in commitments],
        "leaves": [hexed(item) for item in leaves],
        "root": hexed(plain.root(leaves)),
        "paths": [hexed(b"".join(plain.path(leaves, i))) for i in range(size)],
    }


def blob(size: int) -> dict[str, Any]:
    """A blob, the point that binds it and the value there."""
    commitments = made("blob", size)
    tree_root, versioned_hash = keccak256(b"root %d" % size), b"\x01" + keccak256(b"blob %d" % size)[1:]
    data, z = plain.blob(commitments), plain.challenge(tree_root, size, versioned_hash)
    return {
        "seed": "blob",
        "count": size,
        "blob_keccak": hexed(keccak256(data)),
        "root": hexed(tree_root),
        "versioned_hash": hexed(versioned_hash),
        "z": hexed(plain.word(z)),
        "y": hexed(plain.word(plain.evaluate(data, z))),
    }


def point(size: int, z: int) -> dict[str, Any]:
    """The value of a blob's polynomial at a chosen point."""
    y = plain.evaluate(plain.blob(made("point", size)), z)
    return {"seed": "point", "count": size, "z": hexed(plain.word(z)), "y": hexed(plain.word(y))}


def points() -> list[dict[str, Any]]:
    """Roots of unity whose element is given or zero, and the ends of the field."""
    roots = plain.bit_reversed_roots()
    at_roots = [point(40, roots[i]) for i in (0, 1, 2, 40, 41, 42, 4095)]
    return at_roots + [point(40, z) for z in (0, 2, plain.BLS_MODULUS - 2)]


def chunk(system_id: int, sizes: list[int]) -> dict[str, Any]:
    """Chunks joined under one root."""
    commitments = made("chunk", sum(sizes))
    blobs = -(-len(commitments) // plain.PER_BLOB)
    hashes = [b"\x01" + keccak256(b"versioned %d" % i)[1:] for i in range(blobs)]
    return {
        "system_id": system_id,
        "seed": "chunk",
        "chunk_sizes": sizes,
        "versioned_hashes": [hexed(item) for item in hashes],
        "public_values": hexed(plain.chunk_public_values(system_id, commitments, hashes)),
    }


def main() -> None:
    """Writes all files."""
    files = {
        "trees.json": [tree(1 + i % 2, size) for i, size in enumerate(TREE_SIZES)],
        "blobs.json": [blob(size) for size in BLOB_SIZES],
        "points.json": points(),
        "chunks.json": [chunk(1 + i % 2, sizes) for i, sizes in enumerate(CHUNKS)],
    }
    VECTORS.mkdir(exist_ok=True)
    for name, content in files.items():
        (VECTORS / name).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
