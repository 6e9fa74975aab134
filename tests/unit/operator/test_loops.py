"""Background loops: stop together, wait out what passes, never swallow a bug."""

from __future__ import annotations

import asyncio

import pytest

from aligned.core.errors import DependencyError, InvariantError
from aligned.loops import Backoff, keep_claim, pause, repeat, run_all


async def test_repeat__dependency_fails__goes_on_afterwards() -> None:
    stop, calls = asyncio.Event(), 0

    async def step() -> bool:
        nonlocal calls
        calls += 1
        if calls == 3:
            stop.set()
        raise DependencyError("down", "not now")

    await repeat("test", step, stop, 0.001)
    assert calls == 3


async def test_repeat__bug__ends_the_loop() -> None:
    async def step() -> bool:
        raise InvariantError("bug", "must not happen")

    with pytest.raises(InvariantError):
        await repeat("test", step, asyncio.Event(), 0.001)


async def test_repeat__work_left__does_not_pause() -> None:
    stop, left = asyncio.Event(), 3

    async def step() -> bool:
        nonlocal left
        left -= 1
        if left == 0:
            stop.set()
        return True

    await asyncio.wait_for(repeat("test", step, stop, 3_600), 5)


async def test_run_all__one_loop_raises__the_others_stop_and_its_error_comes_out() -> None:
    stop = asyncio.Event()

    async def broken() -> None:
        raise InvariantError("bug", "must not happen")

    with pytest.raises(InvariantError):
        await run_all(stop, broken(), pause(stop, 3_600))
    assert stop.is_set()


async def test_run_all__one_loop_ends_early__is_an_error() -> None:
    stop = asyncio.Event()

    async def over() -> None:
        return

    with pytest.raises(InvariantError, match="loop_ended"):
        await run_all(stop, over(), pause(stop, 3_600))


async def test_run_all__told_to_stop__is_none() -> None:
    stop = asyncio.Event()
    stop.set()
    await run_all(stop, pause(stop, 3_600))


async def test_run_all__loop_that_does_not_stop__is_cancelled() -> None:
    stop = asyncio.Event()
    stop.set()
    cancelled = False

    async def stubborn() -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled = True
            raise

    await run_all(stop, stubborn(), grace_s=0.01)
    assert cancelled


async def test_keep_claim__renewal_fails_once__goes_on_until_the_work_ends() -> None:
    renewals, enough = 0, asyncio.Event()

    async def renew() -> None:
        nonlocal renewals
        renewals += 1
        if renewals == 1:
            raise DependencyError("down", "not now")
        if renewals == 3:
            enough.set()

    async with keep_claim(renew, 0.001):
        await enough.wait()
    counted = renewals
    await asyncio.sleep(0.01)
    assert renewals == counted


def test_backoff__more_attempts__doubles_up_to_the_longest() -> None:
    backoff = Backoff(1.0, 10.0)
    assert [backoff.after(attempts) for attempts in (0, 1, 2, 3, 4, 5, 10**6)] == [1, 1, 2, 4, 8, 10, 10]
