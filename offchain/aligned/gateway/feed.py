"""Wakes whoever waits for a proof: one connection of the process listens, and tells the waiters of that proof."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from aligned.loops import Backoff, pause
from aligned.storage.postgres import Connection, Database
from aligned.watchdog import beat, watched

log = structlog.get_logger(__name__)
_PAUSES = Backoff(0.2, 5.0)
# How often the loop looks whether it shall end; a notification ends the wait at once.
_TURN_S = 0.5


class Watch:
    """One waiter's view of one proof."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """There may be something new."""
        self._changed.set()

    async def wait(self, timeout_s: float) -> bool:
        """Whether there may be something new since the last call; False after `timeout_s`."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class StateFeed:
    """Listens to the database's notifications about proofs."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._watches: dict[UUID, set[Watch]] = {}
        self.stopping = False

    @contextmanager
    def watch(self, proof_id: UUID) -> Iterator[Watch]:
        """A watch that misses no change after this call: look at the proof after it, then wait."""
        watch = Watch()
        self._watches.setdefault(proof_id, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._watches[proof_id]
            watches.discard(watch)
            if not watches:
                del self._watches[proof_id]

    async def run(self, stop: asyncio.Event) -> None:
        """Listens until `stop`, on a new connection whenever one is lost; then lets all waiters go."""
        failures = 0
        with watched("feed", _TURN_S) as rounds:
            while not stop.is_set():
                rounds.beat()
                try:
                    async with self._db.pool().connection() as conn:
                        try:
                            await self._listen(conn, stop)
                        finally:
                            await conn.close()  # it still listens: nobody else shall have it
                    failures = 0
                except (psycopg.OperationalError, PoolTimeout) as error:
                    failures += 1
                    log.warning("feed_lost", error=type(error).__name__, failures=failures)
                    await pause(stop, _PAUSES.after(failures))
        self.stopping = True
        self._wake_all()

    async def _listen(self, conn: Connection, stop: asyncio.Event) -> None:
        await conn.set_autocommit(True)
        await conn.execute("LISTEN proof_state")
        self._wake_all()  # whatever happened while nobody listened
        while not stop.is_set():
            beat()
            async for notice in conn.notifies(timeout=_TURN_S):
                self._wake(notice.payload)
                if stop.is_set():
                    return

    def _wake(self, payload: str) -> None:
        for watch in self._watches.get(UUID(payload), ()):
            watch.wake()

    def _wake_all(self) -> None:
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()
