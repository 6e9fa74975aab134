"""Has proofs verified: in turn, at the pace that their senders' record allows, and at a price for invalid ones."""

from __future__ import annotations

from aligned.batcher.entry import Entry
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.reservations import Reservation
from aligned.clients import Client
from aligned.core.errors import ProofError
from aligned.core.types import VerificationData
from aligned.verifiers.pool import VerifierPool


class Examiner:
    """The verifiers, as admission uses them."""

    def __init__(self, pool: VerifierPool, entry: Entry, metrics: BatcherMetrics) -> None:
        self._pool = pool
        self._entry = entry
        self._metrics = metrics

    async def examine(
        self, data: VerificationData, sender: bytes, client: Client, reservation: Reservation
    ) -> None:
        """Returns if the proof is valid.

        Raises:
            ProofError: it is not, or nobody can tell.
            AlignedError: it was not looked at, as the one before it was refused or its sender has to wait.
        """
        async with self._entry.verification(sender, client) as lane:
            reservation.check_before()
            self._entry.check_pauses(sender, client)
            verdict = await self._pool.verify(data, lane=lane)
        self._metrics.verified(data.proving_system, verdict)
        if not verdict.valid:
            self._entry.invalid(sender, client)
            raise ProofError(verdict.code, verdict.reason)
