"""Background loops of a role: stop together, survive what may pass by itself, never swallow a bug."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass

import structlog

from aligned.core.errors import DependencyError, InvariantError
from aligned.watchdog import LOOP_STUCK, Watchdog, current, limits, watched

log = structlog.get_logger(__name__)
_MAX_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double from `first_s` to `longest_s`."""

    first_s: float
    longest_s: float

    def after(self, attempts: int) -> float:
        """Pause after the given number (from 1) of failed attempts."""
        return float(min(self.longest_s, self.first_s * 2 ** min(max(attempts - 1, 0), 30)))


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleeps, but no longer than until `stop` is set."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def repeat(name: str, step: Callable[[], Awaitable[bool]], stop: asyncio.Event, poll_s: float) -> None:
    """Calls `step` until `stop`: at once again after True (work was done), else after `poll_s`.

    A DependencyError is logged and the step retried with growing pauses; any other error ends the loop.
    """
    failures = 0
    with watched(name, poll_s) as rounds:
        while not stop.is_set():
            rounds.beat()
            try:
                worked = await step()
            except DependencyError as error:
                failures += 1
                log.warning(
                    "step_failed", loop=name, code=error.code, message=error.message, failures=failures
                )
                await pause(stop, Backoff(poll_s, _MAX_PAUSE_S).after(failures))
                continue
            failures = 0
            if not worked:
                await pause(stop, poll_s)


@contextlib.asynccontextmanager
async def keep_claim(renew: Callable[[], Awaitable[None]], every_s: float) -> AsyncIterator[None]:
    """Renews a claim while the block runs; a renewal that fails is logged and tried again."""
    done = asyncio.Event()

    async def beat() -> None:
        while True:
            await pause(done, every_s)
            if done.is_set():
                return
            try:
                await renew()
            except DependencyError as error:
                log.warning("claim_not_renewed", code=error.code, message=error.message)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        done.set()
        await beating


async def run_all(stop: asyncio.Event, *loops: Coroutine[object, object, None], grace_s: float = 5.0) -> None:
    """Runs loops until `stop`; when one ends or raises before, the others stop with it.

    A loop that does not stop within `grace_s` is cancelled: every step may be broken off and taken up again.
    A role without one of its loops looks healthy and does not work, so it ends, and with an error; likewise when one
    of them no longer comes round (see `watchdog`).

    Raises:
        Exception: the first one that a loop raised.
        InvariantError: loop_ended, when one came to its end before `stop`; loop_stuck, when one did not come round.
    """
    tasks = _started(stop, loops)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        ended_early = not stop.is_set()
        stop.set()
        await asyncio.wait(tasks, timeout=grace_s)
    finally:
        stop.set()
        for task in (*tasks, stopped):
            task.cancel()
    _done, left = await asyncio.wait(tasks, timeout=grace_s)
    if left:
        raise InvariantError(LOOP_STUCK, f"{len(left)} loops do not end when they are cancelled")
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            log.critical("loop_died", exc_info=outcome)
            raise outcome
    if ended_early:
        raise InvariantError("loop_ended", "a background loop came to its end before it was told to")


def _started(
    stop: asyncio.Event, loops: tuple[Coroutine[object, object, None], ...]
) -> list[asyncio.Task[None]]:
    """The loops as tasks, and beside them the watchdog that they and the role's pages find in their context.

    Loops that are started within another loop belong to that one's watchdog.
    """
    if current.get() is not None:
        return [asyncio.create_task(loop) for loop in loops]
    watchdog = Watchdog(limits.get())
    token = current.set(watchdog)
    try:
        return [asyncio.create_task(loop) for loop in (watchdog.run(stop), *loops)]
    finally:
        current.reset(token)
