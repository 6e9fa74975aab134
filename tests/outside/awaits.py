"""Acts at the n-th await of a step: cancels it there, or lets something else happen before it goes on.

Only the awaits of the step itself count, not those of tasks that it starts. An action runs after the awaited thing is
done and before the step sees it, so it stands for whatever may change "between two awaits of one step".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

Step = Callable[[], Coroutine[Any, Any, object]]
Action = Callable[[], Awaitable[object]]

# Far above what a step here needs; a test that reaches it follows a loop instead of a step.
_MOST_AWAITS = 400
_ACTION_TIMEOUT_S = 3.0
_STEP_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a step that was interfered with at one await.

    Attributes:
        reached: whether the step had that many awaits.
        cancelled: whether it ended by cancellation (it may also finish all the same, or fail otherwise).
        result: what it returned.
        error: what it raised, other than the cancellation.
        blocked: the action could not be carried out at this moment, as the step held what it needed.
    """

    reached: bool
    cancelled: bool = False
    result: object = None
    error: Exception | None = None
    blocked: bool = False


class _Counted:
    """Awaits a coroutine and reports each of its suspensions, before and after."""

    def __init__(
        self, step: Coroutine[Any, Any, object], before: Callable[[int], None], after: Callable[[int], Any]
    ) -> None:
        self._step = step
        self._before = before
        self._after = after

    def __await__(self) -> Generator[Any, Any, object]:
        resume: Callable[[], Any] = partial(self._step.send, None)
        number = 0
        while True:
            try:
                awaited = resume()
            except StopIteration as stop:
                return stop.value
            number += 1
            self._before(number)
            try:
                received = yield awaited
                resume = partial(self._step.send, received)
            except BaseException as error:  # noqa: BLE001 - handed on to the step, whatever it is
                resume = partial(self._step.throw, error)
            action = self._after(number)
            if action is not None:
                yield from action.__await__()


async def cancel_at(step: Step, number: int) -> Run:
    """Runs the step and cancels its task while it waits for the n-th time (from 1)."""
    reached = False

    def before(at: int) -> None:
        nonlocal reached
        if at == number:
            reached = True
            asyncio.get_running_loop().call_soon(task.cancel)

    task = asyncio.ensure_future(_awaiting(_Counted(step(), before, lambda _at: None)))
    return await _outcome(task, lambda: reached, lambda: False)


async def act_at(step: Step, number: int, action: Action) -> Run:
    """Runs the step; after its n-th await (from 1), and before it sees the answer, `action` is carried out.

    An action that waits for what the step holds (a lock of a row) is given up after some seconds and reported: then
    the step is safe from it at that moment.
    """
    reached = blocked = False

    async def act() -> None:
        nonlocal blocked
        try:
            async with asyncio.timeout(_ACTION_TIMEOUT_S):
                await action()
        except TimeoutError:
            blocked = True

    def after(at: int) -> Coroutine[Any, Any, None] | None:
        nonlocal reached
        if at != number:
            return None
        reached = True
        return act()

    task = asyncio.ensure_future(_awaiting(_Counted(step(), lambda _at: None, after)))
    return await _outcome(task, lambda: reached, lambda: blocked)


async def at_each_await(
    one: Callable[[int], Awaitable[Run]],
    check: Callable[[int, Run], Awaitable[object]],
    *,
    every: int = 1,
) -> int:
    """Carries out `one(n)` for n = 1, 2, 3… until the step has no n-th await; `check(n, run)` after each.

    Args:
        one: makes fresh state, then calls `cancel_at(step, n)` or `act_at(step, n, action)`.
        every: takes only each `every`-th await, for a step with very many.

    Returns:
        How many awaits were tried; a test should demand that it is not 0.
    """
    for tried, number in enumerate(range(1, _MOST_AWAITS, every)):
        run = await one(number)
        await check(number, run)
        if not run.reached:
            return tried
    raise AssertionError(f"more than {_MOST_AWAITS} awaits: is this a step?")


async def _awaiting(counted: _Counted) -> object:
    return await counted


async def _outcome(
    task: asyncio.Future[object], reached: Callable[[], bool], blocked: Callable[[], bool]
) -> Run:
    done, _pending = await asyncio.wait((task,), timeout=_STEP_TIMEOUT_S)
    if not done:
        task.cancel()
        raise AssertionError(f"the step hangs: not done after {_STEP_TIMEOUT_S} s")
    if task.cancelled():
        return Run(reached(), cancelled=True, blocked=blocked())
    error = task.exception()
    if error is None:
        return Run(reached(), result=task.result(), blocked=blocked())
    if not isinstance(error, Exception):
        raise error
    return Run(reached(), error=error, blocked=blocked())
