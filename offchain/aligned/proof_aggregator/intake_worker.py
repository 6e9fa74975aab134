"""From an announced batch to rows in the queue: download, root, verification.

Anybody can post a batch, so nothing of it is believed: its file must have the announced root, and each proof is
verified here before it is a row.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter

from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import (
    INTERNAL_ERROR,
    VERIFIER_CRASHED,
    VERIFIER_TIMEOUT,
    DependencyError,
    InvariantError,
)
from aligned.core.types import VerificationData
from aligned.loops import Backoff, keep_claim
from aligned.proof_aggregator.intake_proofs import Candidate, candidate
from aligned.proof_aggregator.schedule import last_time_s
from aligned.storage.aggregation import intake
from aligned.storage.aggregation.intake import Claimed
from aligned.storage.batch_files import Batch, DownloadLimits, Refusal, fetch_batch
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database
from aligned.verifiers.base import Verdict

NO_OUTCOME = "no_outcome"
# Verdicts that may be the machine's fault: asked twice.
_DOUBTFUL = frozenset({VERIFIER_TIMEOUT, VERIFIER_CRASHED, INTERNAL_ERROR})
log = structlog.get_logger(__name__)


class Verifier(Protocol):
    """What is needed of `VerifierPool`."""

    async def verify_all(self, proofs: Sequence[VerificationData]) -> list[Verdict]:
        """Verdicts in the order of the proofs."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """Bounds and patience; see `IntakeSettings`.

    Attributes:
        systems: what is aggregated at all.
        daily_at_s: seconds after midnight UTC, None for at once.
    """

    limits: DownloadLimits
    systems: Container[AggregationSystem]
    max_proof_bytes: int
    max_public_input_bytes: int
    daily_at_s: int | None
    lease_s: float
    max_attempts: int
    backoff: Backoff


class IntakeMetrics:
    """Batches and proofs by outcome."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "aligned_proof_aggregator_intake"
        self.batches = Counter(
            f"{prefix}_batches", "Fast-mode batches looked at", ["outcome"], registry=registry
        )
        self.proofs = Counter(f"{prefix}_proofs", "Proofs in them", ["outcome"], registry=registry)


class IntakeWorker:
    """Works on claimed batches; several may work on one database."""

    def __init__(
        self, db: Database, store: ObjectStore, verifier: Verifier, policy: Policy, metrics: IntakeMetrics
    ) -> None:
        self._db = db
        self._store = store
        self._verifier = verifier
        self._policy = policy
        self._metrics = metrics

    async def step(self) -> bool:
        """Works on one batch; False when none is due."""
        policy = self._policy
        seen_by = datetime.fromtimestamp(self._seen_by_s(time.time()), UTC)
        async with self._db.transaction() as conn:
            batch = await intake.claim(conn, policy.lease_s, seen_by)
        if batch is None:
            return False
        async with keep_claim(lambda: self._renew(batch), policy.lease_s / 3):
            await self._attempt(batch)
        return True

    def _seen_by_s(self, now_s: float) -> float:
        at_s = self._policy.daily_at_s
        return now_s if at_s is None else last_time_s(at_s, now_s)

    async def _renew(self, batch: Claimed) -> None:
        async with self._db.transaction() as conn:
            await intake.renew(conn, batch, self._policy.lease_s)

    async def _attempt(self, batch: Claimed) -> None:
        """Whatever a stranger's batch makes go wrong is this batch's failure."""
        # Those that ended their process have no error to show.
        if batch.attempts > self._policy.max_attempts:
            await self._give_up(batch, f"{NO_OUTCOME}: {self._policy.max_attempts} attempts")
            return
        try:
            await self._process(batch)
        except InvariantError:
            raise
        except DependencyError as error:
            await self._put_off(batch, f"{error.code}: {error.message}")
        except Exception as error:
            log.exception("intake_broke", **_names(batch))
            await self._put_off(batch, f"{INTERNAL_ERROR}: {type(error).__name__}")

    async def _process(self, batch: Claimed) -> None:
        found = await fetch_batch(batch.pointer, batch.root, self._policy.limits)
        if isinstance(found, Refusal):
            await self._give_up(batch, f"{found.reason}: {found.detail}")
            return
        wanted = await asyncio.to_thread(self._candidates, batch.root, found)
        async with self._db.transaction() as conn:
            known = await intake.known_indices(conn, batch.root)
        valid = await self._valid([item for item in wanted if item.row.batch_index not in known])
        for item in valid:
            await self._store.put(item.row.proof_object, item.data.proof)
        async with self._db.transaction() as conn:
            await intake.take(conn, batch, [item.row for item in valid])
        self._note(batch, len(found.proofs), len(wanted), len(valid))

    def _candidates(self, root: bytes, found: Batch) -> list[Candidate]:
        policy = self._policy
        every = (
            candidate(
                root, index, data, policy.systems, policy.max_proof_bytes, policy.max_public_input_bytes
            )
            for index, data in enumerate(found.proofs)
        )
        return [item for item in every if item is not None]

    async def _valid(self, items: list[Candidate]) -> list[Candidate]:
        """Those whose proof holds; one without a verdict is left out like an invalid one, so that it stops no other."""
        verdicts = await self._verifier.verify_all([item.data for item in items])
        again = [index for index, verdict in enumerate(verdicts) if verdict.code in _DOUBTFUL]
        second = await self._verifier.verify_all([items[index].data for index in again])
        for index, verdict in zip(again, second, strict=True):
            verdicts[index] = verdict
        for item, verdict in zip(items, verdicts, strict=True):
            if not verdict.valid:
                log.info("batch_proof_left_out", **_place(item), code=verdict.code, reason=verdict.reason)
                self._metrics.proofs.labels("invalid").inc()
        return [item for item, verdict in zip(items, verdicts, strict=True) if verdict.valid]

    def _note(self, batch: Claimed, total: int, supported: int, taken: int) -> None:
        log.info("batch_taken", **_names(batch), proofs=total, supported=supported, taken=taken)
        self._metrics.batches.labels("taken").inc()
        self._metrics.proofs.labels("taken").inc(taken)
        self._metrics.proofs.labels("unsupported").inc(total - supported)

    async def _put_off(self, batch: Claimed, error: str) -> None:
        if batch.attempts >= self._policy.max_attempts:
            await self._give_up(batch, error)
            return
        retry_s = self._policy.backoff.after(batch.attempts)
        log.warning("batch_put_off", **_names(batch), error=error, retry_s=retry_s)
        async with self._db.transaction() as conn:
            await intake.put_off(conn, batch, error, retry_s)

    async def _give_up(self, batch: Claimed, error: str) -> None:
        log.warning("batch_given_up", **_names(batch), error=error)
        self._metrics.batches.labels("failed").inc()
        async with self._db.transaction() as conn:
            await intake.give_up(conn, batch, error)


def _names(batch: Claimed) -> dict[str, object]:
    return {"batch_root": batch.root, "block": batch.block_number, "attempt": batch.attempts}


def _place(item: Candidate) -> dict[str, object]:
    return {"batch_root": item.row.batch_root, "batch_index": item.row.batch_index}
