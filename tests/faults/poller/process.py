"""A payments poller that kills itself at a chosen moment: python -m tests.faults.poller.process SETTINGS MOMENT.

Moments: see READING and TAKING_BACK; "never".
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aligned.chain import connect
from aligned.chain.client import ChainClient, Topics
from aligned.chain.cursor import EventCursor
from aligned.chain.types import LogEntry
from aligned.payments_poller import service
from aligned.payments_poller.follower import Follower
from aligned.settings import Settings
from aligned.storage import connect as storage_connect
from aligned.storage.postgres import Connection, Database
from tests.faults.replaced import replace

# In the order of their coming: the logs are read, the rows are about to be written, are written, the cursor has moved
# too, all is committed; and the same for blocks that are taken back.
READING = ("read", "handling", "handled", "moved", "committed")
TAKING_BACK = ("undoing", "undone", "moved", "committed")


class Death:
    """Comes once something is at stake: a log was read, or blocks are taken back."""

    moment = "never"
    armed = False
    moved = False

    @classmethod
    def at(cls, now: str) -> None:
        """As kill -9 does."""
        if cls.armed and now == cls.moment:
            os.kill(os.getpid(), signal.SIGKILL)


class DeadlyClient(ChainClient):
    """Dies with the answer in its hand."""

    async def get_logs(
        self, address: bytes, topics: Topics, from_block: int, to_block: int
    ) -> list[LogEntry]:
        logs = await super().get_logs(address, topics, from_block, to_block)
        Death.armed = Death.armed or bool(logs)
        Death.at("read")
        return logs


class DeadlyFollower(Follower):
    """Dies around its rows."""

    async def handle(self, conn: Connection, logs: list[LogEntry]) -> None:
        Death.at("handling")
        await super().handle(conn, logs)
        Death.at("handled")

    async def undo(self, conn: Connection, from_block: int) -> None:
        Death.armed = True
        Death.at("undoing")
        await super().undo(conn, from_block)
        Death.at("undone")


class DeadlyDatabase(Database):
    """Dies after a commit."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with super().transaction() as conn:
            yield conn
        if Death.moved:
            Death.at("committed")


_real_move = EventCursor._move


async def _move(self: EventCursor, conn: Connection, next_block: int) -> None:
    await _real_move(self, conn, next_block)
    Death.moved = Death.armed
    Death.at("moved")


def main(settings_file: str, moment: str) -> None:
    settings = Settings.model_validate_json(Path(settings_file).read_bytes())
    Death.moment = moment
    EventCursor._move = _move  # type: ignore[method-assign]
    replace(service, Follower=DeadlyFollower)
    replace(connect, ChainClient=DeadlyClient)
    replace(storage_connect, Database=DeadlyDatabase)
    asyncio.run(service.run(settings, asyncio.Event()))


if __name__ == "__main__":
    main(*sys.argv[1:])
