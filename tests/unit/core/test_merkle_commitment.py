"""Leaf and tree in Python: the reference's vectors, and what must not verify."""

from __future__ import annotations

import pytest
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from aligned.core.commitment import ZERO_HASH, commit
from aligned.core.errors import ProtocolError
from aligned.core.merkle import MAX_DEPTH, MerkleTree, merkle_root, verify_path
from aligned.core.types import ProvingSystem, VerificationData

GENERATOR = bytes.fromhex("a0Ee7A142d267C1f36714E4a8F75612F20a79720")
LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=20)


def test_commit__reference_vector__is_reproduced() -> None:
    data = VerificationData(
        ProvingSystem.GROTH16_BN254, b"\x2a" * 4, b"\x20" * 4, b"\x08" * 4, None, GENERATOR
    )
    found = commit(data)
    assert found.proof.hex() == "44f938cb0551b261006b85716669413d99fce404bf679f9e3e2d0c559c3838ec"
    assert found.pub_input.hex() == "e4619842b4a1b6bc9159b355799065d116c3ef9ad38b87792ac919ad9c76307e"
    assert found.aux.hex() == "8e0ecb9f9cbf7090edb84371ad727505093efa5207c6f3a210d249cea668b32b"
    assert found.leaf.hex() == "ba93ade1e3b17284cfcbf565a7b97358642caf4cc5a5a43d5a76ab94f1397403"


def test_commit__absent_and_empty_input__are_different() -> None:
    absent = VerificationData(ProvingSystem.SP1, b"p", None, None, None, GENERATOR)
    empty = VerificationData(ProvingSystem.SP1, b"p", b"", None, None, GENERATOR)
    assert (commit(absent).pub_input, commit(absent).aux) == (ZERO_HASH, ZERO_HASH)
    assert commit(empty).pub_input == keccak(b"")


def test_commit__key_and_program__the_program_counts() -> None:
    both = VerificationData(ProvingSystem.RISC0, b"p", None, b"key", b"program", GENERATOR)
    assert commit(both).aux == keccak(b"program\x04")


def test_merkle_root__one_leaf__is_the_leaf() -> None:
    assert merkle_root([b"\x01" * 32]) == b"\x01" * 32


@given(LEAVES)
def test_merkle_path__every_leaf__leads_to_the_root(leaves: list[bytes]) -> None:
    tree = MerkleTree(leaves)
    for index, leaf in enumerate(leaves):
        assert verify_path(leaf, index, tree.path(index), tree.root)


@given(LEAVES, st.integers(1, 2**32))
def test_verify_path__index_shifted_by_the_width__is_refused(leaves: list[bytes], times: int) -> None:
    tree = MerkleTree(leaves)
    path = tree.path(0)
    assert not verify_path(leaves[0], times << len(path) // 32, path, tree.root)


@pytest.mark.parametrize("path", [b"\0" * 31, b"\0" * 33, bytes(32 * (MAX_DEPTH + 1))])
def test_verify_path__malformed_path__is_refused(path: bytes) -> None:
    assert not verify_path(b"\x01" * 32, 0, path, b"\x01" * 32)


def test_verify_path__negative_index__is_refused() -> None:
    assert not verify_path(b"\x01" * 32, -1, b"", b"\x01" * 32)


@pytest.mark.parametrize("leaves", [[], [b"short"], [b"\0" * 32, b"\0" * 33]])
def test_merkle_tree__malformed_leaves__raise(leaves: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        MerkleTree(leaves)


@pytest.mark.parametrize("index", [-1, 3, 4])
def test_merkle_path__leaf_that_is_not_there__raises(index: int) -> None:
    with pytest.raises(ProtocolError):
        MerkleTree([bytes([i]) * 32 for i in range(3)]).path(index)
