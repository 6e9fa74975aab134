"""From the payment service's events to rows: each counts once, and those of vanished blocks not at all."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

import structlog

from aligned.chain.client import ChainClient
from aligned.chain.contracts import AggregationPayments, QuotaGrant, UserPayment
from aligned.chain.cursor import EventCursor
from aligned.chain.types import LogEntry
from aligned.payments_poller.metrics import PollerMetrics
from aligned.storage.aggregation import payments
from aligned.storage.aggregation.payments import Payment
from aligned.storage.postgres import Connection, Database

CURSOR_NAME = "payments"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the poller is behind the head, and how many accounts may submit."""

    lag_blocks: int
    active_accounts: int


class Follower:
    """Keeps the payments in the database as they are on chain.

    Args:
        start_block: used once, when the database has no cursor yet.
    """

    def __init__(
        self,
        db: Database,
        client: ChainClient,
        service: AggregationPayments,
        start_block: int,
        confirmations: int,
        metrics: PollerMetrics,
    ) -> None:
        self._db = db
        self._client = client
        self._service = service
        self._metrics = metrics
        self._grant = service.topic("QuotaGranted")
        topics = [[service.topic("UserPayment"), self._grant]]
        self._cursor = EventCursor(
            db, client, CURSOR_NAME, service.address, topics, start_block, confirmations=confirmations
        )

    async def run(self, stop: asyncio.Event, poll_s: float) -> None:
        """Follows the chain until `stop`."""
        await self._cursor.run(self.handle, self.undo, poll_s=poll_s, stop=stop)

    def check_alive(self, max_age_s: float) -> None:
        """Raises DependencyError when the chain was not read to its end for so long."""
        self._cursor.check_alive(max_age_s)

    async def lag_blocks(self, head: int) -> int:
        """Blocks up to `head` that were not handled yet."""
        return max(0, head + 1 - await self._cursor.next_block())

    async def progress(self) -> Progress:
        """Where it stands; sets the gauges."""
        head = await self._client.block_number()
        next_block = await self._cursor.next_block()
        async with self._db.transaction() as conn:
            active = await payments.active_accounts(conn)
        progress = Progress(max(0, head + 1 - next_block), active)
        self._metrics.show(next_block - 1, progress.lag_blocks, active)
        return progress

    async def handle(self, conn: Connection, logs: list[LogEntry]) -> None:
        """Writes what the logs say.

        Raises:
            ProtocolError: malformed_abi. Only the payment service writes these events, so this is no stranger's doing,
                and to go on would lose a payment.
        """
        found = self._payments(logs)
        await payments.record(conn, found)
        for payment in found:
            self._metrics.events.labels(payment.kind).inc()
            log.info(
                "payment_recorded",
                kind=payment.kind,
                address=payment.address,
                proofs=payment.proofs,
                valid_until_s=payment.valid_until_s,
                tx_hash=payment.tx_hash,
            )

    async def undo(self, conn: Connection, from_block: int) -> None:
        """Takes back what vanished blocks said."""
        await payments.orphan_from(conn, from_block)
        self._metrics.reorganisations.inc()

    def _payments(self, logs: list[LogEntry]) -> list[Payment]:
        seen: Counter[bytes] = Counter()
        found = []
        # All events of a transaction are in one block, so in one call: the numbers are complete.
        for entry in logs:
            found.append(self._payment(entry, seen[entry.tx_hash]))
            seen[entry.tx_hash] += 1
        return found

    def _payment(self, entry: LogEntry, event_index: int) -> Payment:
        if entry.topics[0] == self._grant:
            return _of_grant(self._service.parse_quota_grant(entry), event_index)
        return _of_payment(self._service.parse_user_payment(entry), event_index)


def _of_payment(event: UserPayment, event_index: int) -> Payment:
    return Payment(
        tx_hash=event.tx_hash,
        event_index=event_index,
        log_index=event.log_index,
        kind="payment",
        address=event.user,
        payer=event.payer,
        amount_wei=event.amount_wei,
        proofs=event.proofs,
        valid_from_s=event.valid_from,
        valid_until_s=event.valid_until,
        block_number=event.block_number,
        block_hash=event.block_hash,
    )


def _of_grant(event: QuotaGrant, event_index: int) -> Payment:
    return Payment(
        tx_hash=event.tx_hash,
        event_index=event_index,
        log_index=event.log_index,
        kind="grant",
        address=event.user,
        payer=None,
        amount_wei=0,
        proofs=event.proofs,
        valid_from_s=event.valid_from,
        valid_until_s=event.valid_until,
        block_number=event.block_number,
        block_hash=event.block_hash,
    )
