"""Accounts, pages of receipts, and aggregations: everything that is read and not waited for."""

from __future__ import annotations

import time
from collections.abc import Callable

from aligned.core.aggregation import AggregationSystem
from aligned.gateway.refusals import refusal
from aligned.gateway.views import (
    SYSTEMS,
    Row,
    aggregation_of,
    aggregation_page,
    quota_of,
    receipt_page,
)
from aligned.storage.aggregation import accounts, archive, receipts
from aligned.storage.statements import Statements
from aligned.wire.aggregator import hex_of
from aligned.wire.gateway import (
    LEAVES_NOT_READY,
    MAX_NUMBER,
    UNKNOWN_AGGREGATION,
    Aggregation,
    AggregationPage,
    Leaves,
    NonceAnswer,
    QuotaAnswer,
    ReceiptPage,
    decode_cursor,
)


class Records:
    """Reads of the database.

    Args:
        clock_skew_s: a payment counts so long before its time.
        clock: Unix seconds.
    """

    def __init__(
        self, statements: Statements, clock_skew_s: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._statements = statements
        self._clock_skew_s = clock_skew_s
        self._clock = clock

    async def nonce(self, address: bytes) -> NonceAnswer:
        """The next nonce of an account."""
        nonce = await self._statements.read(lambda conn: accounts.next_nonce(conn, address))
        return NonceAnswer(address=address, nonce=nonce)

    async def quota(self, address: bytes) -> QuotaAnswer:
        """What an account may still submit."""
        now_s = int(self._clock())
        rows = await self._statements.read(lambda conn: accounts.quota_rows(conn, address, now_s))
        begun_s = now_s + self._clock_skew_s
        remaining = sum(row["proofs"] - row["used"] for row in rows if row["valid_from_s"] <= begun_s)
        return quota_of(address, remaining, rows)

    async def receipts(
        self, address: bytes, state: str | None, limit: int, cursor: str | None
    ) -> ReceiptPage:
        """A page of an account's proofs.

        Raises:
            ProtocolError: malformed_message for a cursor that is not ours.
        """
        before = _before(cursor)
        rows, following = await self._statements.read(
            lambda conn: receipts.page(conn, address, state, limit, before)
        )
        return receipt_page(rows, following)

    async def aggregations(self, system: str | None, limit: int, cursor: str | None) -> AggregationPage:
        """A page of aggregations.

        Raises:
            ProtocolError: malformed_message for a cursor that is not ours.
        """
        before = _before(cursor)
        number = None if system is None else int(AggregationSystem.from_wire(system))
        rows, following = await self._statements.read(lambda conn: archive.page(conn, number, limit, before))
        return aggregation_page(rows, following)

    async def aggregation(self, root: bytes) -> Aggregation:
        """One aggregation with its history.

        Raises:
            ProtocolError: unknown_aggregation.
        """
        row = await self._aggregation(root)
        history = await self._statements.read(lambda conn: archive.history(conn, row["id"]))
        return aggregation_of(row, history)

    async def leaves(self, root: bytes) -> Leaves:
        """All commitments under a root.

        Raises:
            ProtocolError: unknown_aggregation; leaves_not_ready while the leaves have no places.
        """
        row = await self._aggregation(root)
        commitments = await self._statements.read(lambda conn: archive.commitments(conn, row["id"]))
        if len(commitments) != row["leaf_count"]:
            raise refusal(LEAVES_NOT_READY, f"{row['state']}: the leaves have no places yet", retry_after_s=5)
        return Leaves(
            system=SYSTEMS[row["system"]],
            root=root,
            leaf_count=row["leaf_count"],
            commitments=tuple(commitments),
        )

    async def _aggregation(self, root: bytes) -> Row:
        row = await self._statements.read(lambda conn: archive.by_root(conn, root))
        if row is None:
            raise refusal(UNKNOWN_AGGREGATION, f"no aggregation with root {hex_of(root)}")
        return row


def _before(cursor: str | None) -> int:
    return MAX_NUMBER if cursor is None else decode_cursor(cursor)
