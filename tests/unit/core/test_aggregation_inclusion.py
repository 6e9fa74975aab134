"""Who may be under a root, and what a blob may hold: every wrong depth and every bit too many."""

from __future__ import annotations

import os

import pytest
from aligned_native import keccak256

from aligned.core.aggregation import MAX_LEAVES, AggregationSystem, leaf_of, tree_of, verify_inclusion
from aligned.core.blob import BLOB_BYTES, decode_blob, encode_blobs
from aligned.core.errors import ProtocolError

SP1 = AggregationSystem.SP1
COMMITMENTS = [bytes([number]) * 32 for number in range(5)]
TREE = tree_of(SP1, COMMITMENTS)


@pytest.mark.parametrize("index", range(5))
def test_verify_inclusion__path_of_another_length__refused(index: int) -> None:
    leaf, path = leaf_of(SP1, COMMITMENTS[index]), TREE.path(index)
    assert verify_inclusion(TREE.root, 5, leaf, index, path)
    for changed in (path[:-32], path[32:], path[:-1], path + bytes(32), path + os.urandom(32), path + b"\0"):
        assert not verify_inclusion(TREE.root, 5, leaf, index, changed)


def test_verify_inclusion__root_of_a_longer_path__is_not_that_of_so_few_leaves() -> None:
    """The path leads to the root, and it is deeper than a tree of so many leaves."""
    leaf, path = leaf_of(SP1, COMMITMENTS[0]), TREE.path(0)
    for count in range(-1, 17):
        assert verify_inclusion(TREE.root, count, leaf, 0, path) == (count in range(5, 9))


def test_verify_inclusion__inner_node__is_no_leaf() -> None:
    first, second = (leaf_of(SP1, each) for each in COMMITMENTS[:2])
    inner = tree_of(SP1, COMMITMENTS[:2]).root
    assert verify_inclusion(inner, 2, first, 0, second)
    assert not verify_inclusion(TREE.root, 5, inner, 0, TREE.path(0)[32:])


def test_verify_inclusion__more_leaves_than_a_root_has__refused() -> None:
    leaf = leaf_of(SP1, COMMITMENTS[0])
    root, path = leaf, bytes(32) * 15
    for _ in range(15):
        root = keccak256(b"\1" + root + bytes(32))
    assert verify_inclusion(root, MAX_LEAVES, leaf, 0, path)
    assert not verify_inclusion(root, MAX_LEAVES + 1, leaf, 0, path)


@pytest.mark.parametrize("element", [0, 1, 5, 4_095])
@pytest.mark.parametrize("bit", [0, 7])
def test_decode_blob__high_byte_of_an_element_is_not_zero__refused(element: int, bit: int) -> None:
    """No blob has two decodings: these bits are of no commitment."""
    [blob] = encode_blobs(COMMITMENTS)
    assert decode_blob(blob, 5) == COMMITMENTS
    changed = bytearray(blob)
    changed[element * 32] ^= 1 << bit
    with pytest.raises(ProtocolError, match="holds more than 5 commitments"):
        decode_blob(bytes(changed), 5)


@pytest.mark.parametrize("position", [160 + 6, BLOB_BYTES - 1])
def test_decode_blob__something_behind_the_last_commitment__refused(position: int) -> None:
    [blob] = encode_blobs(COMMITMENTS)
    changed = bytearray(blob)
    changed[position] ^= 1
    with pytest.raises(ProtocolError, match="holds more than 5 commitments"):
        decode_blob(bytes(changed), 5)
