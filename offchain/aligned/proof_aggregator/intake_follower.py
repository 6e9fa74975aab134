"""From NewBatchV3 events to rows: nothing is missed while the aggregator is off, and reorganisations are undone."""

from __future__ import annotations

import asyncio

import structlog

from aligned.chain.client import ChainClient
from aligned.chain.contracts import ServiceManager
from aligned.chain.cursor import EventCursor
from aligned.chain.types import LogEntry
from aligned.core.errors import ProtocolError
from aligned.storage.aggregation import intake
from aligned.storage.aggregation.intake import Announced
from aligned.storage.postgres import Connection, Database

CURSOR_NAME = "intake"
log = structlog.get_logger(__name__)


class IntakeFollower:
    """Writes a row for every batch.

    Args:
        start_block: used once, when the database has no cursor yet.
    """

    def __init__(
        self,
        db: Database,
        client: ChainClient,
        manager: ServiceManager,
        start_block: int,
        confirmations: int,
    ) -> None:
        self._manager = manager
        topics = [manager.topic("NewBatchV3")]
        self._cursor = EventCursor(
            db, client, CURSOR_NAME, manager.address, topics, start_block, confirmations=confirmations
        )

    async def run(self, stop: asyncio.Event, poll_s: float) -> None:
        """Follows the chain until `stop`."""
        await self._cursor.run(self.handle, intake.drop_from, poll_s=poll_s, stop=stop)

    def check_alive(self, max_age_s: float) -> None:
        """Raises DependencyError when the chain was not read to its end for so long."""
        self._cursor.check_alive(max_age_s)

    async def handle(self, conn: Connection, logs: list[LogEntry]) -> None:
        """Writes what the logs say."""
        await intake.add(conn, [batch for batch in map(self._parse, logs) if batch is not None])

    def _parse(self, entry: LogEntry) -> Announced | None:
        try:
            event = self._manager.parse_new_batch(entry)
        except ProtocolError as error:
            # Anybody can write an event (a pointer that is no UTF-8, say); it must not stop us.
            log.warning("event_not_decodable", tx_hash=entry.tx_hash, error=error.message)
            return None
        return Announced(event.root, event.sender, event.block_number, event.block_hash, event.pointer)
