"""Writes tests/vectors/{commitment,merkle,bls}/*.json with the plain implementations of tests/reference.

The files are read by the tests of Python, Rust and Solidity, so that all three agree on the same bytes. Run it after a
change of the format: `.venv/bin/python tools/make_vectors.py`. It is deterministic.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.reference import bls, leaf, merkle  # noqa: E402

VECTORS = ROOT / "tests" / "vectors"
TREE_SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 17, 35)
SYSTEM_IDS = (0, 1, 2, 3, 4, 5, 64, 255)


def hexed(data: bytes | None) -> str | None:
    """0x text, null for absent."""
    return None if data is None else "0x" + data.hex()


def commitments() -> list[dict[str, Any]]:
    """Leaves with every combination of absent, empty and present parts."""
    blobs: tuple[bytes | None, ...] = (None, b"", b"some bytes")
    result = []
    for i in range(27):
        system_id, proof, generator = SYSTEM_IDS[i % len(SYSTEM_IDS)], b"proof %d" % i, bytes([i]) * 20
        pub_input, key, program = blobs[i % 3], blobs[i // 3 % 3], blobs[i // 9 % 3]
        parts = leaf.leaf(system_id, proof, pub_input, key, program, generator)
        result.append(
            {
                "system_id": system_id,
                "proof": hexed(proof),
                "pub_input": hexed(pub_input),
                "verification_key": hexed(key),
                "vm_program_code": hexed(program),
                "generator": hexed(generator),
                "proof_commitment": hexed(parts[0]),
                "pub_input_commitment": hexed(parts[1]),
                "aux_commitment": hexed(parts[2]),
                "leaf": hexed(parts[3]),
            }
        )
    return result


def trees() -> list[dict[str, Any]]:
    """Trees with their root and all paths."""
    result = []
    for size in TREE_SIZES:
        leaves = [leaf.keccak256(b"leaf %d" % i) for i in range(size)]
        paths = [hexed(b"".join(merkle.path(leaves, i))) for i in range(size)]
        result.append(
            {"leaves": [hexed(item) for item in leaves], "root": hexed(merkle.root(leaves)), "paths": paths}
        )
    return result


def signatures() -> list[dict[str, Any]]:
    """Keys, hashed digests with their witnesses, signatures."""
    result = []
    for i in range(16):
        seed, digest = b"seed %d" % i, leaf.keccak256(b"digest %d" % i)
        secret = bls.secret_from_seed(seed)
        key_g1, key_g2 = bls.public_key(secret)
        point, root, skips = bls.hash_to_g1(digest)
        result.append(
            {
                "seed": hexed(seed),
                "secret": hexed(bls.word(secret)),
                "key_g1": hexed(key_g1),
                "key_g2": hexed(key_g2),
                "digest": hexed(digest),
                "point": hexed(point),
                "witness_root": hexed(bls.word(root)),
                "witness_skips": [hexed(bls.word(skip)) for skip in skips],
                "signature": hexed(bls.sign(secret, digest)),
            }
        )
    return result


def invalid_points() -> dict[str, dict[str, str | None]]:
    """Bytes that no function may take as a point."""
    return {
        group: {name: hexed(point) for name, point in points.items()}
        for group, points in (("g1", bls.invalid_g1()), ("g2", bls.invalid_g2()))
    }


def main() -> None:
    """Writes all files."""
    files = {
        "commitment/leaves.json": commitments(),
        "merkle/trees.json": trees(),
        "bls/signatures.json": signatures(),
        "bls/invalid_points.json": invalid_points(),
    }
    for name, content in files.items():
        (VECTORS / name).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
