"""From NewBatchV3 and BatchVerified events to rows; reorganisations undo what vanished blocks said."""

from __future__ import annotations

import asyncio

import structlog

from aligned.bls_aggregator.tasks import TaskStore
from aligned.chain.client import ChainClient
from aligned.chain.contracts import ServiceManager
from aligned.chain.cursor import EventCursor
from aligned.chain.types import LogEntry
from aligned.core.errors import ProtocolError
from aligned.storage.postgres import Connection, Database

CURSOR_NAME = "bls_aggregator"
log = structlog.get_logger(__name__)


class Follower:
    """Writes a row for every task, and ends those that are verified on chain."""

    def __init__(
        self,
        db: Database,
        client: ChainClient,
        manager: ServiceManager,
        tasks: TaskStore,
        start_block: int,
        confirmations: int,
    ) -> None:
        self._manager = manager
        self._tasks = tasks
        self._new_batch = manager.topic("NewBatchV3")
        topics = [[self._new_batch, manager.topic("BatchVerified")]]
        self._cursor = EventCursor(
            db, client, CURSOR_NAME, manager.address, topics, start_block, confirmations=confirmations
        )

    async def run(self, stop: asyncio.Event, poll_s: float) -> None:
        """Follows the chain until `stop`."""
        await self._cursor.run(self.handle, self._tasks.drop_from, poll_s=poll_s, stop=stop)

    def check_alive(self, max_age_s: float) -> None:
        """Raises DependencyError when the chain was not read to its end for so long."""
        self._cursor.check_alive(max_age_s)

    async def lag_blocks(self, head: int) -> int:
        """Blocks up to `head` that were not handled yet."""
        return max(0, head + 1 - await self._cursor.next_block())

    async def handle(self, conn: Connection, logs: list[LogEntry]) -> None:
        """Writes what the logs say. One that does not decode was written to stop us, and is passed over."""
        for entry in logs:
            try:
                if entry.topics[0] == self._new_batch:
                    await self._tasks.add(conn, self._manager.parse_new_batch(entry))
                else:
                    await self._tasks.mark_verified(conn, self._manager.parse_batch_verified(entry))
            except ProtocolError as error:
                log.warning("event_not_decodable", tx_hash=entry.tx_hash, error=error.message)
