"""Identity of a batch, orders of the same proofs with another root, and addresses for fillers."""

from __future__ import annotations

from itertools import islice

from aligned_native import merkle_root
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from aligned.core.batch import MAX_ORDERS, batch_id, filler_generators, orders

LEAVES = st.lists(st.integers(0, 3).map(lambda number: keccak(bytes([number]))), min_size=1, max_size=40)


def test_batch_id__root_and_sender__are_hashed_packed() -> None:
    assert batch_id(b"\x01" * 32, b"\x02" * 20) == keccak(b"\x01" * 32 + b"\x02" * 20)


@given(LEAVES)
def test_orders__any_leaves__permutations_with_different_roots_the_given_first(leaves: list[bytes]) -> None:
    found = list(orders(leaves))
    assert found[0][0] == list(range(len(leaves)))
    assert 1 <= len(found) <= MAX_ORDERS
    assert all(sorted(order) == list(range(len(leaves))) for order, _ in found)
    assert all(root == merkle_root(b"".join(leaves[i] for i in order)) for order, root in found)
    assert len({root for _, root in found}) == len(found)


def test_orders__one_leaf_many_times__no_copies_only_the_given_order() -> None:
    assert [order for order, _ in orders([b"\x01" * 32] * 3)] == [[0, 1, 2]]


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**63))
def test_filler_generators__any_root_and_seed__never_one_twice(root: bytes, seed: int) -> None:
    first = list(islice(filler_generators(root, seed), 20))
    assert all(len(address) == 20 for address in first)
    assert len(set(first)) == 20
    assert next(filler_generators(root, seed + 1)) == first[1]
