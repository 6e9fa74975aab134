"""From NewBatchV3 events to rows: nothing is missed while the operator is off, and reorganisations are undone."""

from __future__ import annotations

import asyncio

import structlog

from aligned.chain.client import ChainClient
from aligned.chain.contracts import NewBatch, ServiceManager
from aligned.chain.cursor import EventCursor
from aligned.chain.types import LogEntry
from aligned.core.errors import ProtocolError
from aligned.operator.tasks import TaskStore
from aligned.storage.postgres import Connection, Database

CURSOR_NAME = "operator"
log = structlog.get_logger(__name__)


async def first_useful_block(client: ChainClient, manager: ServiceManager, deployed_block: int) -> int:
    """Where a new operator starts: tasks before this block can no longer be answered."""
    window = (await manager.config()).response_window_blocks
    return max(deployed_block, await client.block_number() - window)


class Follower:
    """Writes a row for every task.

    Args:
        start_block: used once, when the database has no cursor yet.
    """

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
        topics = [manager.topic("NewBatchV3")]
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
        """Writes what the logs say."""
        await self._tasks.add(conn, [batch for batch in map(self._parse, logs) if batch is not None])

    def _parse(self, entry: LogEntry) -> NewBatch | None:
        try:
            return self._manager.parse_new_batch(entry)
        except ProtocolError as error:
            # Anybody can write an event (a pointer that is no UTF-8, say); it must not stop us.
            log.warning("event_not_decodable", tx_hash=entry.tx_hash, error=error.message)
            return None
