"""Receipts, and the wait for them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from uuid import UUID

from aligned.gateway.feed import StateFeed
from aligned.gateway.refusals import refusal
from aligned.gateway.views import receipt_of
from aligned.gateway.waits import Hold
from aligned.storage.aggregation import receipts
from aligned.storage.statements import Statements
from aligned.wire.gateway import UNKNOWN_PROOF, Receipt, StateChange, has_reached

_HEARTBEAT_S = 15.0
_HEARTBEAT = b": still here\n\n"
_RECONNECT = b"retry: 1000\n\n"


class ProofReader:
    """Reads proofs, at once or when their state changes."""

    def __init__(self, statements: Statements, feed: StateFeed) -> None:
        self._statements = statements
        self._feed = feed

    async def receipt(self, proof_id: UUID) -> Receipt:
        """What is known of a proof.

        Raises:
            ProtocolError: unknown_proof.
            DependencyError: database_unavailable.
        """
        row = await self._statements.read(lambda conn: receipts.by_id(conn, proof_id))
        if row is None:
            raise _unknown(proof_id)
        return receipt_of(row)

    async def wait(self, proof_id: UUID, until: str, timeout_s: float, hold: Hold | None = None) -> Receipt:
        """The receipt when the proof is as far as `until`, will go no further, or after `timeout_s`.

        Args:
            hold: the place of whoever waits; at its end there is the receipt as it is then.
        """
        end, hold = time.monotonic() + timeout_s, hold or Hold()
        with self._feed.watch(proof_id) as watch:
            hold.on_end(watch.wake)
            while True:
                receipt = await self.receipt(proof_id)
                left_s = end - time.monotonic()
                if has_reached(receipt.state, until) or left_s <= 0 or self._feed.stopping or hold.ended:
                    return receipt
                await watch.wait(left_s)

    async def has_ended(self, receipt: Receipt, after: int) -> bool:
        """Whether there is nothing behind line `after` of the history, and never will be."""
        if not has_reached(receipt.state, "final"):
            return False
        return not await self._statements.read(lambda conn: receipts.history_after(conn, receipt.id, after))

    async def events(self, proof_id: UUID, after: int, timeout_s: float, hold: Hold) -> AsyncIterator[bytes]:
        """Server-sent events: each line of the history behind number `after`.

        They end with the history, after `timeout_s`, or when somebody else gets the place. The proof is known to exist.
        """
        end = time.monotonic() + timeout_s
        yield _RECONNECT
        with self._feed.watch(proof_id) as watch:
            hold.on_end(watch.wake)
            while time.monotonic() < end and not self._feed.stopping and not hold.ended:
                number = after
                lines = await self._statements.read(
                    lambda conn, number=number: receipts.history_after(conn, proof_id, number)  # type: ignore[misc]
                )
                for line in lines:
                    after = line.pop("number")
                    yield _event(after, StateChange(**line))
                if lines and has_reached(lines[-1]["state"], "final"):
                    return
                if not await watch.wait(min(_HEARTBEAT_S, max(0.0, end - time.monotonic()))):
                    yield _HEARTBEAT


def _unknown(proof_id: UUID) -> Exception:
    return refusal(UNKNOWN_PROOF, f"no proof {proof_id}")


def _event(number: int, change: StateChange) -> bytes:
    return f"id: {number}\nevent: state\ndata: {change.model_dump_json()}\n\n".encode()
