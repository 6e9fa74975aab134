"""Which proofs go into a batch: properties that must hold for any queue."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from aligned.batcher.model import Account, Market, QueuedProof
from aligned.batcher.selection import BatchLimits, Candidate, Patience, Selection, cut, payable, select

MARKET = Market(1, 10**9, 0, 0)


def proof(id_: int, sender: int, nonce: int, fee: int = 10, size: int = 1) -> QueuedProof:
    return QueuedProof(id_, bytes([sender]) * 20, nonce, id_.to_bytes(32, "big"), fee, 4, size, 0)


def price(count: int) -> int:
    return -(-100 // count)


@st.composite
def queues(draw: st.DrawFn) -> list[Candidate]:
    """Some senders, each with a run of nonces, in any order of arrival."""
    runs = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6)), max_size=5))
    places = [(sender, first + i) for sender, (first, length) in enumerate(runs) for i in range(length)]
    ids = draw(st.permutations(range(len(places))))
    candidates = []
    for (sender, nonce), id_ in zip(places, ids, strict=True):
        fee, cap, size = draw(st.integers(1, 120)), draw(st.integers(1, 120)), draw(st.integers(1, 30))
        candidates.append(Candidate(proof(id_, sender, nonce, fee, size), min(fee, cap)))
    return candidates


limits = st.builds(BatchLimits, st.integers(1, 12), st.integers(1, 120))


@given(queues(), limits)
def test_select__any_queue__prefixes_that_fit_and_can_afford_it(
    candidates: list[Candidate], bounds: BatchLimits
) -> None:
    selection = select(candidates, bounds, price)
    if selection is None:
        return
    chosen = {p.id for p in selection.proofs}
    assert 0 < len(chosen) == len(selection.proofs) <= bounds.max_proofs
    assert sum(p.size_bytes for p in selection.proofs) <= bounds.max_bytes
    assert selection.fee_per_proof_wei == price(len(chosen))
    by_sender: dict[bytes, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_sender[candidate.proof.sender].append(candidate)
    for own in by_sender.values():
        taken = [c.proof.id in chosen for c in sorted(own, key=lambda c: c.proof.nonce)]
        assert taken == sorted(taken, reverse=True), "a later nonce without an earlier one"
        assert all(c.fee_limit_wei >= selection.fee_per_proof_wei for c in own if c.proof.id in chosen)
    assert list(selection.proofs) == sorted(selection.proofs, key=lambda p: (p.sender, p.nonce))


@given(queues())
def test_select__without_limits__takes_as_many_as_any_price_allows(candidates: list[Candidate]) -> None:
    """No larger set of affordable prefixes exists."""
    best = 0
    for count in range(len(candidates), 0, -1):
        willing = 0
        for sender in {c.proof.sender for c in candidates}:
            for c in sorted((c for c in candidates if c.proof.sender == sender), key=lambda c: c.proof.nonce):
                if c.fee_limit_wei < price(count):
                    break
                willing += 1
        if willing >= count:
            best = count
            break
    selection = select(candidates, BatchLimits(10**6, 10**6), price)
    assert (0 if selection is None else len(selection.proofs)) == best


@given(queues(), limits)
def test_select__order_of_the_queue__does_not_matter(
    candidates: list[Candidate], bounds: BatchLimits
) -> None:
    assert select(candidates, bounds, price) == select(candidates[::-1], bounds, price)


def test_select__equal_offers__first_come_first_served() -> None:
    late, early = Candidate(proof(2, 1, 0, 100), 100), Candidate(proof(1, 2, 0, 100), 100)
    assert select([late, early], BatchLimits(1, 10), lambda _: 1) == Selection((early.proof,), 1)


def test_select__large_proof_that_does_not_fit__does_not_hold_up_others() -> None:
    large = Candidate(proof(1, 1, 0, 100, 50), 100)
    behind = Candidate(proof(2, 1, 1, 100, 1), 100)
    other = Candidate(proof(3, 2, 0, 90, 1), 90)
    selection = select([large, behind, other], BatchLimits(10, 10), lambda _: 1)
    assert selection is not None
    assert selection.proofs == (other.proof,)


@given(
    st.integers(0, 4),
    st.integers(0, 200),
    st.lists(st.integers(1, 60), max_size=6),
    st.integers(0, 4),
    st.booleans(),
)
def test_payable__any_account__prefix_kept_tail_dropped(
    chain_nonce: int, balance: int, queue_fees: list[int], first: int, unlocked: bool
) -> None:
    proofs = [proof(i, 1, first + i, fee) for i, fee in enumerate(queue_fees)]
    kept, dropped = payable(proofs, Account(chain_nonce, balance, int(unlocked), 30))
    kept_nonces = [c.proof.nonce for c in kept]
    assert kept_nonces == list(range(chain_nonce, chain_nonce + len(kept)))
    assert sum(c.proof.max_fee_wei for c in kept) <= balance
    assert all(c.fee_limit_wei == min(c.proof.max_fee_wei, 30) for c in kept)
    codes = {d.proof.nonce: d.code for d in dropped}
    assert all(code == "nonce_used" for nonce, code in codes.items() if nonce < chain_nonce)
    lost = sorted(nonce for nonce in codes if nonce >= chain_nonce)
    later = sorted(p.nonce for p in proofs if lost and p.nonce >= lost[0])
    assert lost == later, "something was dropped that is not a tail"
    if unlocked:
        assert kept == []


def test_payable__node_that_lags_behind__holds_proofs_back_without_dropping() -> None:
    assert payable([proof(1, 1, 5)], Account(4, 1_000, 0, 100)) == ([], [])


@given(st.integers(1, 2_000), st.integers(0, 10**12), st.integers(0, 10**18))
def test_market__price_of_a_batch__covers_its_answer_fee(count: int, gas_price: int, minimum: int) -> None:
    market = Market(1, gas_price, 0, minimum)
    assert market.fee_per_proof_wei(count) * count >= market.answer_fee_wei() >= minimum
    assert market.fee_per_proof_wei(count + 1) <= market.fee_per_proof_wei(count)


@given(st.lists(st.booleans(), max_size=8))
def test_cut__first_that_must_go__takes_the_later_ones_with_it(bad: list[bool]) -> None:
    proofs = [proof(i, 1, i) for i in range(len(bad))]
    kept, dropped = cut(proofs, lambda item: "why" if bad[item.id] else None)
    first = bad.index(True) if True in bad else len(bad)
    assert [p.id for p in kept] == list(range(first))
    assert [(d.proof.id, d.code) for d in dropped] == [(i, "why") for i in range(first, len(bad))]


def test_patience__offer_low_all_the_time__exhausted_after_so_many_blocks() -> None:
    patience = Patience(10)
    low, fine = Candidate(proof(1, 1, 0), 5), Candidate(proof(2, 2, 0), 50)
    assert patience.exhausted([low, fine], 20, 100) == set()
    assert patience.exhausted([low, fine], 20, 109) == set()
    assert patience.exhausted([low, fine], 20, 110) == {1}


def test_patience__offer_enough_in_between__counted_afresh() -> None:
    patience = Patience(10)
    low = Candidate(proof(1, 1, 0), 5)
    for least_wei, block in ((20, 100), (5, 105), (20, 110)):
        assert patience.exhausted([low], least_wei, block) == set()
    assert patience.exhausted([low], 20, 119) == set()
    assert patience.exhausted([low], 20, 120) == {1}
