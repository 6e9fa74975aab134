"""Follows the contract's revocations: a revoked root ends its aggregation, whatever state that was in."""

from __future__ import annotations

import asyncio

import structlog

from aligned.chain.cursor import EventCursor
from aligned.chain.types import LogEntry
from aligned.proof_aggregator.context import Context
from aligned.proof_aggregator.follower import REVOKED
from aligned.storage.aggregation import setbacks
from aligned.storage.postgres import Connection

CURSOR_NAME = "revocations"
# A revocation is for ever, so it counts only when a reorganisation can hardly take it back.
_CONFIRMATIONS = 64
log = structlog.get_logger(__name__)


class Revocations:
    """The reader of RootRevoked."""

    def __init__(self, context: Context) -> None:
        self._context = context
        service = context.service
        self._cursor = EventCursor(
            context.db,
            context.client,
            CURSOR_NAME,
            service.address,
            [service.topic("RootRevoked")],
            context.deployed_block,
            confirmations=context.final_blocks or _CONFIRMATIONS,
        )

    async def run(self, stop: asyncio.Event, poll_s: float) -> None:
        """Follows the chain until `stop`."""
        await self._cursor.run(self.handle, poll_s=poll_s, stop=stop)

    async def lag_blocks(self, head: int) -> int:
        """Blocks up to `head` that were not handled yet."""
        return max(0, head + 1 - await self._cursor.next_block())

    def check_alive(self, max_age_s: float) -> None:
        """Raises DependencyError when the chain was not read to its end for so long."""
        self._cursor.check_alive(max_age_s)

    async def handle(self, conn: Connection, logs: list[LogEntry]) -> None:
        """Writes what the logs say."""
        for entry in logs:
            if await setbacks.revoked(conn, entry.topics[1], REVOKED):
                self._context.metrics.revoked.inc()
                log.critical("root_revoked", root=entry.topics[1])
