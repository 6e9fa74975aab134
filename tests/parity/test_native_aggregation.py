"""Tagged tree, blobs and their binding: Rust, Python and c-kzg against the plain implementation's vectors."""

from __future__ import annotations

from typing import Any

import aligned_native as native
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aligned.chain import kzg
from aligned.core import aggregation, blob
from aligned.core.aggregation import AggregationSystem, ChunkOutput
from tests.parity.native import data, vector
from tests.reference import aggregation as plain
from tests.reference.leaf import keccak256

TREES = vector("aggregation/trees.json")
BLOBS = vector("aggregation/blobs.json")
POINTS = vector("aggregation/points.json")
CHUNKS = vector("aggregation/chunks.json")
hash_lists = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)
systems = st.sampled_from(AggregationSystem)


def made(case: dict[str, Any]) -> list[bytes]:
    """Commitments that the vectors give by seed and count."""
    count = case.get("count") or sum(case["chunk_sizes"])
    return [keccak256(f"{case['seed']} {i}".encode()) for i in range(count)]


def parts_of(case: dict[str, Any]) -> list[list[bytes]]:
    """The commitments of each chunk."""
    rest, parts = made(case), []
    for size in case["chunk_sizes"]:
        parts.append(rest[:size])
        rest = rest[size:]
    return parts


def output_of(system_id: int, commitments: list[bytes]) -> bytes:
    """Public values of a chunk of these commitments."""
    leaves = [plain.leaf(system_id, item) for item in commitments]
    return plain.root(leaves) + plain.word(len(leaves))


@pytest.mark.parametrize("case", TREES, ids=lambda case: len(case["leaves"]))
def test_tree__vectors__native_and_python_agree(case: dict[str, Any]) -> None:
    commitments = [data(item) for item in case["commitments"]]
    inputs = zip(case["public_inputs"], case["program_ids"], strict=True)
    assert [aggregation.commitment(data(value), data(program)) for value, program in inputs] == commitments
    system, joined = AggregationSystem(case["system_id"]), b"".join(commitments)
    leaves, paths = [data(item) for item in case["leaves"]], [data(item) for item in case["paths"]]
    assert native.aggregation_leaves(system, joined) == b"".join(leaves)
    assert native.aggregation_root(system, joined) == data(case["root"])
    assert native.aggregation_paths(system, joined) == paths
    tree = aggregation.tree_of(system, commitments)
    assert tree.root == data(case["root"])
    assert [tree.path(i) for i in range(len(leaves))] == paths


@given(systems, hash_lists)
@settings(max_examples=50)
def test_tree__any_commitments__native_equals_the_plain_one(
    system: AggregationSystem, commitments: list[bytes]
) -> None:
    leaves = [plain.leaf(system, item) for item in commitments]
    joined = b"".join(commitments)
    assert native.aggregation_root(system, joined) == plain.root(leaves)
    paths = [b"".join(plain.path(leaves, i)) for i in range(len(leaves))]
    assert native.aggregation_paths(system, joined) == paths


@pytest.mark.parametrize(
    "call", [native.aggregation_leaves, native.aggregation_root, native.aggregation_paths]
)
def test_tree__wrong_system_length_or_count__raises(call: Any) -> None:
    for system in (0, 3, 255):
        with pytest.raises(ValueError, match="system"):
            call(system, bytes(32))
    with pytest.raises(OverflowError):
        call(256, bytes(32))
    with pytest.raises(ValueError, match="multiple of 32"):
        call(1, bytes(33))
    with pytest.raises(ValueError, match="at most 23808"):
        call(1, bytes(32 * 23_809))


def test_root__no_commitments__raises() -> None:
    for call in (native.aggregation_root, native.aggregation_paths):
        with pytest.raises(ValueError, match="at least one leaf"):
            call(1, b"")


@pytest.mark.parametrize("case", BLOBS, ids=lambda case: case["count"])
def test_blob__vectors__python_and_the_kzg_library_agree(case: dict[str, Any]) -> None:
    [encoded] = blob.encode_blobs(made(case))
    assert keccak256(encoded) == data(case["blob_keccak"])
    assert blob.decode_blob(encoded, case["count"]) == made(case)
    z = blob.challenge(data(case["root"]), case["count"], data(case["versioned_hash"]))
    assert plain.word(z) == data(case["z"])
    assert kzg.open_blob(encoded, z).y == data(case["y"])


@pytest.mark.parametrize("case", POINTS, ids=range(len(POINTS)))
def test_evaluation__roots_of_unity_and_ends_of_the_field__kzg_library_agrees(case: dict[str, Any]) -> None:
    """The same values are asked of Rust by zkvm/core/tests/vectors.rs."""
    [encoded] = blob.encode_blobs(made(case))
    assert kzg.open_blob(encoded, int(case["z"], 16)).y == data(case["y"])


@pytest.mark.parametrize("case", CHUNKS, ids=lambda case: "_".join(map(str, case["chunk_sizes"])))
def test_native_chunk__vectors__native_and_python_agree(case: dict[str, Any]) -> None:
    system, parts = case["system_id"], parts_of(case)
    outputs = [output_of(system, part) for part in parts]
    hashes = [data(item) for item in case["versioned_hashes"]]
    got = native.native_chunk(system, outputs, [b"".join(part) for part in parts], hashes)
    assert got == data(case["public_values"])
    decoded = ChunkOutput.decode(got)
    assert decoded.encode() == got
    assert decoded.root == aggregation.tree_of(AggregationSystem(system), made(case)).root
    assert decoded.leaf_count == len(made(case))


@pytest.mark.parametrize("count", [1, 35, 3_968, 4_000])
def test_native_chunk__real_blobs__opens_them_where_the_kzg_library_does(count: int) -> None:
    """y of the guests' code = y of c-kzg for the same blob: what the point-evaluation precompile will compare."""
    commitments = made({"seed": "real", "count": count})
    blobs = blob.encode_blobs(commitments)
    hashes = kzg.hashes_of(blobs)
    output = native.native_chunk(1, [output_of(1, commitments)], [b"".join(commitments)], list(hashes))
    decoded = ChunkOutput.decode(output)
    for each, versioned_hash, point in zip(blobs, hashes, decoded.blobs, strict=True):
        z = blob.challenge(decoded.root, count, versioned_hash)
        assert point.versioned_hash == versioned_hash
        assert point.y == kzg.open_blob(each, z).y
