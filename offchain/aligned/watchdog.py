"""Notices loops that no longer come round, and an event loop that stands still.

A role whose loop hangs looks alive: its pages answer and nothing is done. So each loop reports its rounds, /healthz
names the one that is overdue, and after a further time the role ends with an error, for its supervisor to start it
anew. An event loop that is blocked cannot end anything; a thread sees it and ends the process.

Which watchdog a loop belongs to follows from the context in which `run_all` started it: loops, their tasks and the
pages of the role find it there, and nothing has to be handed through.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass

import structlog

from aligned.core.errors import DependencyError, InvariantError

LOOP_STUCK = "loop_stuck"
# As `sysexits.h` has it for an internal fault; supervisors restart on any but 0.
EXIT_BLOCKED = 70
_TICK_S = 1.0
_POLLS = 10

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """When a loop counts as stuck.

    Attributes:
        stall_s: longest time for one round, besides what its step announces.
        end_after_s: how much later the role ends.
        blocked_s: how long the event loop may stand still.
    """

    stall_s: float = 900.0
    end_after_s: float = 300.0
    blocked_s: float = 120.0


@dataclass(frozen=True, slots=True)
class LoopStatus:
    """For metrics: how long ago a loop came round, or did something that shows it goes on."""

    name: str
    age_s: float
    is_stuck: bool


class Rounds:
    """What one loop reports."""

    def __init__(self, name: str, allowance_s: float) -> None:
        self.name = name
        self._allowance_s = allowance_s
        self._announced: list[float] = []
        self._last = time.monotonic()

    def beat(self) -> None:
        """The loop came round, or its step came a part further."""
        self._last = time.monotonic()

    @contextlib.contextmanager
    def waiting(self, longest_s: float) -> Iterator[None]:
        """Allows the step so much more while the block runs."""
        self.beat()
        self._announced.append(longest_s)
        try:
            yield
        finally:
            self._announced.remove(longest_s)
            self.beat()

    @property
    def age_s(self) -> float:
        """Since the last report."""
        return time.monotonic() - self._last

    @property
    def overdue_s(self) -> float:
        """How much longer ago that is than it should be."""
        return self.age_s - self._allowance_s - max(self._announced, default=0.0)


class Watchdog:
    """The loops of one role."""

    def __init__(self, limits: WatchLimits) -> None:
        self._limits = limits
        self._loops: list[Rounds] = []
        self.ticks = 0

    def enter(self, name: str, poll_s: float) -> Rounds:
        """A loop begins."""
        rounds = Rounds(name, max(self._limits.stall_s, _POLLS * poll_s))
        self._loops.append(rounds)
        return rounds

    def leave(self, rounds: Rounds) -> None:
        """It has come to its end."""
        self._loops.remove(rounds)

    def status(self) -> tuple[LoopStatus, ...]:
        """Every loop as it is now."""
        return tuple(LoopStatus(each.name, each.age_s, each.overdue_s > 0) for each in self._loops)

    def check(self) -> None:
        """For liveness.

        Raises:
            DependencyError: loop_stuck, naming the loop that is overdue for longest.
        """
        worst = self._worst()
        if worst is not None and worst.overdue_s > 0:
            raise DependencyError(LOOP_STUCK, _text(worst))

    async def run(self, stop: asyncio.Event) -> None:
        """Looks after the loops until `stop`.

        Raises:
            InvariantError: loop_stuck, when one stays overdue.
        """
        blocked = threading.Event()
        threading.Thread(target=self._watch_ticks, args=(blocked, on_blocked.get()), daemon=True).start()
        try:
            while not stop.is_set():
                self.ticks += 1
                worst = self._worst()
                if worst is not None and worst.overdue_s > self._limits.end_after_s:
                    raise InvariantError(LOOP_STUCK, _text(worst))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _TICK_S)
        finally:
            blocked.set()

    def _worst(self) -> Rounds | None:
        return max(self._loops, key=lambda rounds: rounds.overdue_s, default=None)

    def _watch_ticks(self, ended: threading.Event, end: Callable[[], None]) -> None:
        """Counts its own turns, not time: a process that was halted as a whole has not stood still."""
        missed, seen = 0.0, self.ticks
        while not ended.wait(_TICK_S):
            missed = missed + _TICK_S if self.ticks == seen else 0.0
            seen = self.ticks
            if missed >= self._limits.blocked_s:
                end()
                return


def end_process() -> None:
    """Says where every thread is, and ends the process at once: nothing in it can end it in order."""
    print("event loop blocked: the process ends", file=sys.stderr, flush=True)  # noqa: T201 - no lock of the log
    faulthandler.dump_traceback(file=sys.stderr)
    os._exit(EXIT_BLOCKED)


limits: ContextVar[WatchLimits] = ContextVar("watch_limits", default=WatchLimits())  # noqa: B039 - frozen
on_blocked: ContextVar[Callable[[], None]] = ContextVar("on_blocked", default=end_process)
current: ContextVar[Watchdog | None] = ContextVar("watchdog", default=None)
_rounds: ContextVar[Rounds | None] = ContextVar("rounds", default=None)


@contextlib.contextmanager
def watched(name: str, poll_s: float) -> Iterator[Rounds]:
    """A loop that reports its rounds to the watchdog of its role; without a role nobody listens."""
    watchdog = current.get() or Watchdog(WatchLimits())
    rounds = watchdog.enter(name, poll_s)
    token = _rounds.set(rounds)
    try:
        yield rounds
    finally:
        _rounds.reset(token)
        watchdog.leave(rounds)


def beat() -> None:
    """The step that runs here came a part further."""
    rounds = _rounds.get()
    if rounds is not None:
        rounds.beat()


@contextlib.contextmanager
def waiting(longest_s: float) -> Iterator[None]:
    """The step that runs here may wait so long for what comes next."""
    rounds = _rounds.get()
    with contextlib.nullcontext() if rounds is None else rounds.waiting(longest_s):
        yield


def _text(rounds: Rounds) -> str:
    return f"loop {rounds.name!r} has not come round for {rounds.age_s:.0f} s; it is started anew if that goes on"
