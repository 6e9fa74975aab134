"""When a quorum is there, and when it never will be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aligned.bls_aggregator.ballots import Statement, Tally
from aligned.core.bls import G1, G2
from aligned.core.quorum import Operator


def _tally(stakes: list[int], signed: set[int], refused: set[int]) -> Tally:
    operators = [
        Operator(bytes(20), bytes([number]) * 32, stake, 0, G1(bytes(64)), G2(bytes(128)))
        for number, stake in enumerate(stakes)
    ]
    ids = [operator.operator_id for operator in operators]
    return Tally(
        operators,
        {ids[number]: G1(bytes(64)) for number in signed},
        {ids[number]: Statement(bytes(64), 0, bytes(32), "invalid_proof") for number in refused},
    )


@given(
    stakes=st.lists(st.integers(0, 10**30), min_size=1, max_size=6),
    choices=st.lists(st.sampled_from(["sign", "refuse", "silent"]), min_size=6, max_size=6),
    threshold_bps=st.integers(5_001, 10_000),
)
def test_tally__any_votes__a_hopeless_task_has_no_quorum_even_if_all_others_sign(
    stakes: list[int], choices: list[str], threshold_bps: int
) -> None:
    numbers = range(len(stakes))
    refused = {number for number in numbers if choices[number] == "refuse"}
    if_all_others_sign = _tally(stakes, set(numbers) - refused, refused)
    possible = if_all_others_sign.has_quorum(threshold_bps, 0, 0)
    if if_all_others_sign.is_hopeless(threshold_bps):
        assert not possible
    elif if_all_others_sign.refused_stake > 0:
        assert possible


def test_tally__enough_stake_but_too_few_signers__no_quorum() -> None:
    tally = _tally([90, 5, 5], {0}, set())
    assert not tally.has_quorum(6_700, 2, 0)
    assert tally.has_quorum(6_700, 1, 0)


def test_tally__total_stake_below_the_minimum__no_quorum() -> None:
    assert not _tally([10, 10], {0, 1}, set()).has_quorum(6_700, 1, 21)


def test_tally__empty_set__no_quorum_and_complete() -> None:
    tally = _tally([], set(), set())
    assert not tally.has_quorum(6_700, 0, 0)
    assert not tally.is_hopeless(6_700)


def test_tally__third_of_the_stake_refuses__hopeless_at_67_percent() -> None:
    assert _tally([1, 1, 1], set(), {0}).is_hopeless(6_700)
    assert not _tally([33, 67], set(), {0}).is_hopeless(6_700)


def test_tally__all_voted__is_complete() -> None:
    assert _tally([1, 1], {0}, {1}).is_complete
    assert not _tally([1, 1], {0}, set()).is_complete
