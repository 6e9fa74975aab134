"""What went wrong in a run of the demo: nothing is swallowed, and every line says where and why."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from aligned.core.errors import AlignedError

T = TypeVar("T")

UNEXPECTED = "unexpected_error"


@dataclass(frozen=True, slots=True)
class Failure:
    """One error.

    Attributes:
        where: what was being done.
    """

    where: str
    code: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.code}: {self.reason}"


@dataclass(slots=True)
class Failures:
    """Errors of a run in the order in which they happened.

    Attributes:
        log_file: gets a line of JSON for each, with its traceback; None: they are only kept.
    """

    log_file: Path | None = None
    found: list[Failure] = field(default_factory=list)

    def add(self, where: str, error: BaseException) -> None:
        """Keeps an error; one that is known already is not kept twice."""
        is_ours = isinstance(error, AlignedError)
        code, reason = (error.code, error.message) if is_ours else (UNEXPECTED, repr(error))  # type: ignore[attr-defined]
        failure = Failure(where, code, reason)
        if any((known.code, known.reason) == (code, reason) for known in self.found):
            return
        self.found.append(failure)
        self._log(failure, error)

    async def attempt(self, where: str, step: Awaitable[T]) -> T | None:
        """The result of a step, None if it failed: what comes after it is still tried."""
        try:
            return await step
        except AlignedError as error:
            self.add(where, error)
            return None

    def _log(self, failure: Failure, error: BaseException) -> None:
        if self.log_file is None:
            return
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        line = {
            "at": datetime.now(UTC).isoformat(),
            "where": failure.where,
            "code": failure.code,
            "reason": failure.reason,
            "trace": traceback.format_exception(error),
        }
        with self.log_file.open("a") as file:
            file.write(json.dumps(line) + "\n")


async def all_of(*steps: Coroutine[Any, Any, T]) -> list[T]:
    """Results of steps that run side by side; when one fails the others are cancelled, and its error is raised.

    Unlike `asyncio.gather` it leaves nothing running; errors of the others are notes of the one that is raised.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(step) for step in steps]
    except BaseExceptionGroup as found:
        first, *others = _leaves(found)
        for other in others:
            first.add_note(f"at the same time: {other!r}")
        raise first from None
    return [task.result() for task in tasks]


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for each in group.exceptions:
        found += _leaves(each) if isinstance(each, BaseExceptionGroup) else [each]
    return found


def answer(value: bool | None) -> str:
    """For people: a question that was never asked is neither yes nor no."""
    return "not asked" if value is None else "yes" if value else "NO"
