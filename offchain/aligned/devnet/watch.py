"""Looks after a running devnet: a role that ends is started again; without its chain or database it is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

from aligned.core.errors import DependencyError, InvariantError
from aligned.devnet.process import tail
from aligned.storage.embedded import socket_dir_of

T = TypeVar("T")

CHILD_ENDED = "devnet_child_ended"
_LOOK_S = 0.5
_FIRST_PAUSE_S, _MAX_PAUSE_S = 1.0, 30.0
# A role that has run for so long has recovered; so many deaths without that are no accident.
_STEADY_S = 60.0
_MAX_DEATHS = 6


def role_ended(line: str) -> DependencyError:
    """What the watch said, as an error."""
    return DependencyError(CHILD_ENDED, line)


class Child(Protocol):
    """A process as the watch sees it."""

    name: str

    def is_running(self) -> bool:
        """Whether it runs."""
        ...

    def start(self) -> None:
        """Starts it again."""
        ...

    def log_tail(self) -> str:
        """The last lines of its log."""
        ...


@dataclass(slots=True)
class _Record:
    deaths: int = 0
    start_at: float | None = None
    started_at: float = field(default_factory=time.monotonic)


class PostgresChild:
    """The embedded server as the watch sees it."""

    name = "PostgreSQL"

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def is_running(self) -> bool:
        """Whether it serves this folder."""
        return socket_dir_of(self._data_dir) is not None

    def start(self) -> None:
        """It is never started again."""
        raise InvariantError(CHILD_ENDED, self.name)

    def log_tail(self) -> str:
        """The last lines of its log."""
        return tail(self._data_dir.with_name(self._data_dir.name + ".log"))


class Watch:
    """Supervises until it is cancelled.

    Args:
        vital: what nothing can replace: the chain, whose state would be lost, and the database.
        roles: what can be started again, by name; they keep all that matters in the database.
        say: called with a line for each event.
    """

    def __init__(
        self, vital: Mapping[str, Child], roles: Mapping[str, Child], say: Callable[[str], None]
    ) -> None:
        self._vital = vital
        self._roles = roles
        self._say = say
        self._records = {name: _Record() for name in roles}

    async def run(self) -> NoReturn:
        """Looks at all of them, for ever.

        Raises:
            DependencyError: devnet_child_ended: chain or database ended, or a role does not stay up.
        """
        while True:
            # In this thread: on Linux a child ends with the thread that started it.
            self.look(time.monotonic())
            await asyncio.sleep(_LOOK_S)

    def look(self, now_s: float) -> None:
        """One round."""
        for name, child in self._vital.items():
            if not child.is_running():
                raise DependencyError(
                    CHILD_ENDED, f"{name} ended, and with it this devnet; start it again\n{child.log_tail()}"
                )
        for name, child in self._roles.items():
            self._look_at(name, child, self._records[name], now_s)

    def _look_at(self, name: str, child: Child, record: _Record, now_s: float) -> None:
        if child.is_running():
            if now_s - record.started_at > _STEADY_S:
                record.deaths = 0
            return
        if record.start_at is None:
            record.deaths += 1
            if record.deaths > _MAX_DEATHS:
                text = f"{name} ended {record.deaths} times one after another\n{child.log_tail()}"
                raise DependencyError(CHILD_ENDED, text)
            pause_s = min(_MAX_PAUSE_S, _FIRST_PAUSE_S * 2 ** (record.deaths - 1))
            record.start_at = now_s + pause_s
            self._say(f"{name} ended; starting it again in {pause_s:.0f} s\n{child.log_tail()}")
        elif now_s >= record.start_at:
            record.start_at, record.started_at = None, now_s
            child.start()
            self._say(f"{name} started again")


async def while_watched(watch: Watch, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when the watch gives up.

    Raises:
        DependencyError: devnet_child_ended; anything that `work` raises.
    """
    watching, working = asyncio.create_task(watch.run()), asyncio.create_task(work)
    try:
        await asyncio.wait((watching, working), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await watching
        return await working
    finally:
        for task in (watching, working):
            task.cancel()
        await asyncio.gather(watching, working, return_exceptions=True)
