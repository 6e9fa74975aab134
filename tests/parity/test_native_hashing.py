"""Leaf and tree: the native extension and aligned.core against the plain implementations."""

from __future__ import annotations

from typing import Any

import aligned_native as native
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.core import commitment, merkle
from aligned.core.types import ProvingSystem, VerificationData
from tests.parity.native import data, unhex, vector
from tests.reference import leaf as plain_leaf
from tests.reference import merkle as plain_merkle

LEAVES = vector("commitment/leaves.json")
TREES = vector("merkle/trees.json")
BLOBS = ("proof", "pub_input", "verification_key", "vm_program_code", "generator")
RESULTS = ("proof_commitment", "pub_input_commitment", "aux_commitment", "leaf")
optional_bytes = st.none() | st.binary(max_size=300)
leaf_lists = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)


@given(st.binary(max_size=1000))
def test_keccak256__any_bytes__equals_pycryptodome(message: bytes) -> None:
    assert native.keccak256(message) == plain_leaf.keccak256(message)


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_keccak256__in_pieces__equals_that_of_the_whole(pieces: list[bytes]) -> None:
    sponge = native.Keccak256()
    for piece in pieces:
        sponge.update(piece)
    assert sponge.digest() == sponge.digest() == native.keccak256(b"".join(pieces))


@pytest.mark.parametrize("case", LEAVES, ids=range(len(LEAVES)))
def test_leaf_commitment__vectors__native_and_python_agree(case: dict[str, Any]) -> None:
    blobs = [unhex(case[name]) for name in BLOBS]
    expected = tuple(data(case[name]) for name in RESULTS)
    assert native.leaf_commitment(case["system_id"], *blobs) == expected  # type: ignore[arg-type]
    got = commitment.commit(VerificationData(ProvingSystem(case["system_id"]), *blobs))  # type: ignore[arg-type]
    assert (got.proof, got.pub_input, got.aux, got.leaf) == expected


@given(
    st.integers(0, 255),
    st.binary(max_size=300),
    optional_bytes,
    optional_bytes,
    optional_bytes,
    st.binary(min_size=20, max_size=20),
)
def test_leaf_commitment__any_submission__equals_the_plain_one(
    system_id: int,
    proof: bytes,
    pub_input: bytes | None,
    key: bytes | None,
    program: bytes | None,
    generator: bytes,
) -> None:
    arguments = (system_id, proof, pub_input, key, program, generator)
    assert native.leaf_commitment(*arguments) == plain_leaf.leaf(*arguments)


def test_leaf_commitment__published_vector__is_reproduced() -> None:
    """System 2, proof 2a.., input 20.., key 08.. and an address: values that others computed before us."""
    generator = data("a0ee7a142d267c1f36714e4a8f75612f20a79720")
    got = native.leaf_commitment(2, b"\x2a" * 4, b"\x20" * 4, b"\x08" * 4, None, generator)
    assert [part.hex() for part in got] == [
        "44f938cb0551b261006b85716669413d99fce404bf679f9e3e2d0c559c3838ec",
        "e4619842b4a1b6bc9159b355799065d116c3ef9ad38b87792ac919ad9c76307e",
        "8e0ecb9f9cbf7090edb84371ad727505093efa5207c6f3a210d249cea668b32b",
        "ba93ade1e3b17284cfcbf565a7b97358642caf4cc5a5a43d5a76ab94f1397403",
    ]


@pytest.mark.parametrize("length", [0, 19, 21, 32])
def test_leaf_commitment__generator_of_wrong_length__raises(length: int) -> None:
    with pytest.raises(ValueError, match="generator"):
        native.leaf_commitment(0, b"", None, None, None, bytes(length))


@pytest.mark.parametrize("system_id", [-1, 256, 1 << 70])
def test_leaf_commitment__system_id_beyond_a_byte__raises(system_id: int) -> None:
    with pytest.raises(OverflowError):
        native.leaf_commitment(system_id, b"", None, None, None, bytes(20))


@pytest.mark.parametrize("case", TREES, ids=lambda case: len(case["leaves"]))
def test_merkle__vectors__native_and_python_agree(case: dict[str, Any]) -> None:
    leaves, root = [data(leaf) for leaf in case["leaves"]], data(case["root"])
    paths = [data(path) for path in case["paths"]]
    joined = b"".join(leaves)
    assert native.merkle_root(joined) == merkle.merkle_root(leaves) == root
    assert native.merkle_paths(joined) == paths
    tree = merkle.MerkleTree(leaves)
    for index, (leaf, path) in enumerate(zip(leaves, paths, strict=True)):
        assert native.merkle_path(joined, index) == tree.path(index) == path
        assert native.merkle_verify(leaf, index, path, root)
        assert merkle.verify_path(leaf, index, path, root)


@given(leaf_lists)
def test_merkle_root__any_leaves__equals_the_plain_one(leaves: list[bytes]) -> None:
    assert native.merkle_root(b"".join(leaves)) == plain_merkle.root(leaves)


@given(leaf_lists, st.data())
def test_merkle_path__any_leaf__equals_the_plain_one(leaves: list[bytes], draw: st.DataObject) -> None:
    index = draw.draw(st.integers(0, len(leaves) - 1))
    expected = b"".join(plain_merkle.path(leaves, index))
    assert native.merkle_path(b"".join(leaves), index) == expected
    assert native.merkle_paths(b"".join(leaves))[index] == expected


@given(leaf_lists, st.data())
def test_merkle_verify__anything_changed__native_and_python_refuse_alike(
    leaves: list[bytes], draw: st.DataObject
) -> None:
    index = draw.draw(st.integers(0, len(leaves) - 1))
    path, root = native.merkle_path(b"".join(leaves), index), native.merkle_root(b"".join(leaves))
    path = draw.draw(st.sampled_from([path, path[:-1], path + bytes(32), path[32:], path * 40]))
    position = draw.draw(st.integers(-1, 1 << 70) | st.just(index))
    leaf = draw.draw(st.sampled_from(leaves))
    assert native.merkle_verify(leaf, position, path, root) == merkle.verify_path(leaf, position, path, root)


@pytest.mark.parametrize("multiple", [1, 2, 1 << 20, 1 << 60, 1 << 64])
def test_merkle_verify__index_plus_multiple_of_width__is_refused(multiple: int) -> None:
    case = TREES[5]
    leaf, path, root = data(case["leaves"][2]), data(case["paths"][2]), data(case["root"])
    width = 1 << len(path) // 32
    assert native.merkle_verify(leaf, 2, path, root)
    assert not native.merkle_verify(leaf, 2 + multiple * width, path, root)


def test_merkle_verify__path_of_33_levels__is_refused() -> None:
    node = leaf = bytes(32)
    for _ in range(33):
        node = native.keccak256(node + bytes(32))
    assert not native.merkle_verify(leaf, 0, bytes(33 * 32), node)


@pytest.mark.parametrize("leaves", [b"", bytes(31), bytes(33)])
def test_merkle_root__no_whole_leaves__raises(leaves: bytes) -> None:
    for function in (native.merkle_root, native.merkle_paths):
        with pytest.raises(ValueError, match="leaf|leaves"):
            function(leaves)


@pytest.mark.parametrize("index", [3, 4, 1 << 40])
def test_merkle_path__index_beyond_the_leaves__raises(index: int) -> None:
    with pytest.raises(ValueError, match="3 leaves"):
        native.merkle_path(bytes(96), index)
