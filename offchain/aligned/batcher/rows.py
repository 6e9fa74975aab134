"""Work on many rows side by side: one that fails waits longer and longer, and delays none of the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from aligned.core.errors import DependencyError, InvariantError
from aligned.loops import Backoff

log = structlog.get_logger(__name__)
T = TypeVar("T")
_PARALLEL = 8
_BACKOFF = Backoff(first_s=2.0, longest_s=120.0)
# A row that did not come again for so long after its pause is done with.
_FORGET_S = 600.0


@dataclass(frozen=True, slots=True)
class _Failure:
    count: int
    until_s: float
    error: Exception


class Rows(Generic[T]):
    """The rows of one loop, with what each of them failed at.

    Args:
        key: names a row.
        clock: monotonic seconds.
    """

    def __init__(self, key: Callable[[T], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._key = key
        self._clock = clock
        self._failures: dict[int, _Failure] = {}

    async def each(self, rows: Iterable[T], act: Callable[[T], Awaitable[None]]) -> bool:
        """Acts on every row that does not pause. Whether none failed, and none pauses.

        Raises:
            InvariantError: of any row.
            Exception: an unexpected error of a row, also of one that pauses because of it: the loop is not well.
            DependencyError: all rows failed so, which is not the fault of one of them.
        """
        self._forget_old()
        waiting = list(rows)
        due = [row for row in waiting if not self._pauses(row)]
        slots = asyncio.Semaphore(_PARALLEL)

        async def one(row: T) -> Exception | None:
            async with slots:
                try:
                    await act(row)
                except Exception as error:  # noqa: BLE001 - noted with its row, and raised when all are done
                    return error
            return None

        # A single one needs no task of its own.
        outcomes = [await one(due[0])] if len(due) == 1 else await asyncio.gather(*map(one, due))
        self._raise_shared(outcomes)
        for row, outcome in zip(due, outcomes, strict=True):
            self._note(row, outcome)
        for failure in self._failures.values():
            if not isinstance(failure.error, DependencyError):
                raise failure.error
        return len(due) == len(waiting) and not any(outcomes)

    @staticmethod
    def _raise_shared(outcomes: list[Exception | None]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, InvariantError):
                raise outcome
        if outcomes and all(isinstance(outcome, DependencyError) for outcome in outcomes):
            raise outcomes[0]  # type: ignore[misc]

    def _note(self, row: T, outcome: Exception | None) -> None:
        key = self._key(row)
        known = self._failures.pop(key, None)
        if outcome is None:
            return
        count = 1 if known is None else known.count + 1
        pause_s = _BACKOFF.after(count)
        self._failures[key] = _Failure(count, self._clock() + pause_s, outcome)
        log.warning("row_failed", row=key, failures=count, pause_s=pause_s, exc_info=_unexpected(outcome))

    def _pauses(self, row: T) -> bool:
        failure = self._failures.get(self._key(row))
        return failure is not None and self._clock() < failure.until_s

    def _forget_old(self) -> None:
        now = self._clock()
        old = [key for key, failure in self._failures.items() if now > failure.until_s + _FORGET_S]
        for key in old:
            del self._failures[key]


def _unexpected(error: Exception) -> Exception | None:
    return None if isinstance(error, DependencyError) else error
