"""A gap in a sender's nonces is the node's for some blocks, and nobody's after that."""

from __future__ import annotations

from aligned.batcher.model import Account, QueuedProof
from aligned.batcher.selection import Gaps, payable

SENDER = b"\x01" * 20


def proofs(*nonces: int) -> list[QueuedProof]:
    return [QueuedProof(nonce, SENDER, nonce, bytes(32), 1, 0, 1, 2**40) for nonce in nonces]


def account(nonce: int) -> Account:
    return Account(nonce, 10**18, 0, 10**18)


def test_gaps__node_is_behind__waits_and_goes_on_when_it_has_caught_up() -> None:
    gaps = Gaps(12)
    for block in range(100, 111):
        assert gaps.start(proofs(5, 6), account(4), block) == 4
    assert payable(proofs(5, 6), account(4), 4)[0] == []
    assert gaps.start(proofs(5, 6), account(5), 111) == 5
    # A new gap has patience of its own.
    assert gaps.start(proofs(8), account(7), 112) == 7


def test_gaps__for_too_long__proofs_go_without_the_missing_nonce() -> None:
    gaps = Gaps(12)
    for block in range(100, 112):
        assert gaps.start(proofs(5, 6), account(4), block) == 4
    start = gaps.start(proofs(5, 6), account(4), 112)
    assert start == 5
    assert [candidate.proof.nonce for candidate in payable(proofs(5, 6), account(4), start)[0]] == [5, 6]


def test_gaps__count_moves_meanwhile__the_patience_begins_again() -> None:
    gaps = Gaps(12)
    gaps.start(proofs(9), account(4), 100)
    assert gaps.start(proofs(9), account(5), 111) == 5
    assert gaps.start(proofs(9), account(5), 122) == 5
    assert gaps.start(proofs(9), account(5), 123) == 9


def test_gaps__used_nonces_before_it__do_not_hide_the_gap() -> None:
    gaps = Gaps(12)
    gaps.start(proofs(1, 9), account(5), 100)
    assert gaps.start(proofs(1, 9), account(5), 112) == 9


def test_gaps__sender_queues_nothing_any_more__is_forgotten() -> None:
    gaps = Gaps(12)
    gaps.start(proofs(5), account(4), 100)
    gaps.keep([])
    assert gaps.start(proofs(5), account(4), 120) == 4
