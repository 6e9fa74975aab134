"""The queue of an account: one at a time over all threads and event loops, and nobody who gives up holds it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import CancelledError

import pytest

from aligned.core.errors import TIMEOUT, DependencyError
from aligned.sdk.portal import Portal
from aligned.sdk.turns import AccountTurns, account_turns

LONG_S = 60.0


async def use(turns: AccountTurns, log: list[str], name: str) -> None:
    async with turns.turn(LONG_S):
        log.append(f"{name} in")
        await asyncio.sleep(0)
        log.append(f"{name} out")


def test_account_turns__same_account__same_queue_as_long_as_somebody_holds_it() -> None:
    held = account_turns("chain", 1, b"account")
    assert account_turns("chain", 1, b"account") is held
    assert account_turns("chain", 1, b"other") is not held


async def test_turn__many_tasks__in_order_and_never_two() -> None:
    turns, log = AccountTurns(), list[str]()
    await asyncio.gather(*(use(turns, log, str(number)) for number in range(20)))
    assert log == [f"{number} {what}" for number in range(20) for what in ("in", "out")]


def test_turn__event_loops_of_several_threads__never_two() -> None:
    turns, log = AccountTurns(), list[str]()

    def run() -> None:
        asyncio.run(use(turns, log, threading.current_thread().name))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log) == 16
    assert all(
        first.split()[0] == second.split()[0] for first, second in zip(log[::2], log[1::2], strict=True)
    )


async def test_turn__waiting_task_is_cancelled__the_next_one_gets_it() -> None:
    turns, log = AccountTurns(), list[str]()
    async with turns.turn(LONG_S):
        given_up = asyncio.create_task(use(turns, log, "given up"))
        patient = asyncio.create_task(use(turns, log, "patient"))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
    await patient
    assert log == ["patient in", "patient out"]


async def test_turn__cancelled_as_it_is_handed_over__is_passed_on() -> None:
    turns, log = AccountTurns(), list[str]()
    async with turns.turn(LONG_S):
        chosen = asyncio.create_task(use(turns, log, "chosen"))
        await asyncio.sleep(0)
    # Handed over by the line above; the task has not run since.
    chosen.cancel()
    await asyncio.gather(chosen, return_exceptions=True)
    await use(turns, log, "next")
    assert log[-2:] == ["next in", "next out"]


async def test_turn__held_for_too_long__timeout_and_the_queue_stays_sound() -> None:
    turns, log = AccountTurns(), list[str]()
    async with turns.turn(LONG_S):
        with pytest.raises(DependencyError) as refused:
            async with turns.turn(0.01):
                raise AssertionError("two at once")
        assert refused.value.code == TIMEOUT
    await use(turns, log, "after")
    assert log == ["after in", "after out"]


def test_portal__stopped_while_a_call_holds_the_account__it_is_free_again() -> None:
    turns, is_held = AccountTurns(), threading.Event()

    async def hold() -> None:
        async with turns.turn(LONG_S):
            is_held.set()
            await asyncio.Event().wait()

    def call() -> None:
        with contextlib.suppress(CancelledError):
            portal.run(hold())

    portal = Portal()
    thread = threading.Thread(target=call)
    thread.start()
    is_held.wait(LONG_S)
    portal.stop()
    thread.join(LONG_S)
    log = list[str]()
    asyncio.run(use(turns, log, "next"))
    assert log == ["next in", "next out"]
