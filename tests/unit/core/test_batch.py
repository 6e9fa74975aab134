"""Identity of a batch, and orders of the same proofs with another root."""

from __future__ import annotations

from aligned_native import merkle_root
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from aligned.core.batch import batch_id, fresh_order

LEAVES = st.lists(st.integers(0, 3).map(lambda number: keccak(bytes([number]))), min_size=1, max_size=9)


def _root(leaves: list[bytes], order: list[int]) -> bytes:
    return merkle_root(b"".join(leaves[i] for i in order))


def test_batch_id__root_and_sender__are_hashed_packed() -> None:
    assert batch_id(b"\x01" * 32, b"\x02" * 20) == keccak(b"\x01" * 32 + b"\x02" * 20)


@given(LEAVES)
def test_fresh_order__nothing_taken__is_the_given_order(leaves: list[bytes]) -> None:
    assert fresh_order(leaves, lambda _root: False) == list(range(len(leaves)))


@given(LEAVES, st.integers(1, 12))
def test_fresh_order__roots_taken_again_and_again__always_finds_another(
    leaves: list[bytes], times: int
) -> None:
    taken: set[bytes] = set()
    for _ in range(times):
        order = fresh_order(leaves, taken.__contains__)
        root = _root(leaves, order)
        assert root not in taken
        assert set(order) == set(range(len(leaves)))
        taken.add(root)
