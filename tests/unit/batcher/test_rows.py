"""One bad row waits longer and longer; the others do not wait for it."""

from __future__ import annotations

import pytest

from aligned.batcher.rows import Rows
from aligned.core.errors import DependencyError, InvariantError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


DOWN = DependencyError("chain_unavailable", "")


async def test_rows__one_fails_with_a_dependency__others_done_and_only_it_pauses_ever_longer() -> None:
    clock, done = Clock(), []
    rows: Rows[int] = Rows(lambda row: row, clock)

    async def act(row: int) -> None:
        done.append(row)
        if row == 2:
            raise DOWN

    assert not await rows.each([1, 2, 3], act)
    assert sorted(done) == [1, 2, 3]
    tries = []
    for _ in range(40):
        done.clear()
        clock.now += 1.0
        await rows.each([1, 2, 3], act)
        assert {1, 3} <= set(done)
        tries += [clock.now] if 2 in done else []
    assert tries == [2.0, 6.0, 14.0, 30.0]


async def test_rows__it_works_again__no_pause_is_left() -> None:
    clock, broken = Clock(), [True]
    rows: Rows[int] = Rows(lambda row: row, clock)

    async def act(row: int) -> None:
        if row == 2 and broken:
            raise DOWN

    await rows.each([1, 2], act)
    broken.clear()
    clock.now = 5.0
    assert await rows.each([1, 2], act)
    assert await rows.each([1, 2], act)


async def test_rows__all_fail__is_the_nodes_fault_and_no_row_pauses() -> None:
    clock, tried = Clock(), []
    rows: Rows[int] = Rows(lambda row: row, clock)

    async def act(row: int) -> None:
        tried.append(row)
        raise DOWN

    for _ in range(2):
        with pytest.raises(DependencyError):
            await rows.each([1, 2], act)
    assert sorted(tried) == [1, 1, 2, 2]


async def test_rows__a_bug_in_one__others_done_and_told_as_long_as_it_is_there() -> None:
    clock, done = Clock(), []
    rows: Rows[int] = Rows(lambda row: row, clock)

    async def act(row: int) -> None:
        if row == 2:
            raise KeyError(row)
        done.append(row)

    for _ in range(2):
        with pytest.raises(KeyError):
            await rows.each([1, 2, 3], act)
    assert sorted(done) == [1, 1, 3, 3]


async def test_rows__a_broken_invariant__passes_at_once() -> None:
    rows: Rows[int] = Rows(lambda row: row, Clock())

    async def act(row: int) -> None:
        raise InvariantError("broken", "")

    with pytest.raises(InvariantError):
        await rows.each([1, 2], act)
