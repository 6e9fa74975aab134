"""Metrics of the batcher."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from aligned.batcher.backlog import Backlog
from aligned.batcher.rules import QueueTotals
from aligned.core.types import ProvingSystem
from aligned.observability import Metrics
from aligned.verifiers.base import Verdict
from aligned.vital_metrics import VitalMetrics

_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PROOFS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)


class BatcherMetrics(Metrics):
    """Queue, verification, batches, connections and refusals."""

    def __init__(self) -> None:
        super().__init__("batcher")
        self.vital = VitalMetrics(self, account=True)
        name = self.prefix
        self._queue_proofs = Gauge(f"{name}_queue_proofs", "Proofs waiting", registry=self.registry)
        self._queue_bytes = Gauge(f"{name}_queue_bytes", "Bytes of proofs waiting", registry=self.registry)
        self._queue_age = Gauge(
            f"{name}_queue_age_seconds", "Wait of the oldest proof", registry=self.registry
        )
        self.connections = Gauge(f"{name}_connections", "Open WebSockets", registry=self.registry)
        self._accepted = Counter(
            f"{name}_accepted_total", "Submissions acknowledged", ["system"], registry=self.registry
        )
        self._refused = Counter(f"{name}_refused_total", "Messages refused", ["code"], registry=self.registry)
        self._unnamed = Counter(
            f"{name}_clients_not_named_total",
            "Requests whose client could not be told from its proxy",
            ["reason"],
            registry=self.registry,
        )
        self._dropped = Counter(
            f"{name}_dropped_total", "Accepted proofs given up", ["code"], registry=self.registry
        )
        self._verification = Histogram(
            f"{name}_verification_seconds",
            "Verification of a proof",
            ["system", "code"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._batches = Counter(
            f"{name}_batches_total", "Batches by outcome", ["outcome"], registry=self.registry
        )
        self._batch_proofs = Histogram(
            f"{name}_batch_proofs", "Proofs in a batch", buckets=_PROOFS, registry=self.registry
        )
        self._task_gas = Gauge(
            f"{name}_create_task_gas", "Gas of the latest createNewTask", registry=self.registry
        )

        self._backlog_gauges()

    def _backlog_gauges(self) -> None:
        name = self.prefix
        self._overdue = Gauge(
            f"{name}_overdue_proofs",
            "Proofs off chain behind their receipt's deadline",
            registry=self.registry,
        )
        self._unposted_age = Gauge(
            f"{name}_oldest_unposted_seconds", "Age of the batch on its way", registry=self.registry
        )
        self._unanswered_age = Gauge(
            f"{name}_oldest_unanswered_seconds",
            "Wait of the oldest posted batch for its answer",
            registry=self.registry,
        )
        self._unsettled_wei = Gauge(
            f"{name}_unsettled_wei", "Money that may be returned to payers yet", registry=self.registry
        )
        self._unsettled = Gauge(
            f"{name}_unsettled_batches", "Ended batches that are not settled", registry=self.registry
        )

    def backlog(self, state: Backlog) -> None:
        """What waits behind the queue."""
        self._overdue.set(state.overdue_proofs)
        self._unposted_age.set(state.unposted_age_s)
        self._unanswered_age.set(state.unanswered_age_s)
        self._unsettled_wei.set(state.unsettled_wei)
        self._unsettled.set(state.unsettled_batches)

    def queue(self, totals: QueueTotals, oldest_age_s: float) -> None:
        """The state of the queue."""
        self._queue_proofs.set(totals.proofs)
        self._queue_bytes.set(totals.size_bytes)
        self._queue_age.set(oldest_age_s)

    def verified(self, system: ProvingSystem, verdict: Verdict) -> None:
        """A verdict and how long it took."""
        self._verification.labels(system.wire_name, verdict.code).observe(verdict.seconds)

    def accepted(self, system: ProvingSystem) -> None:
        """A submission was acknowledged."""
        self._accepted.labels(system.wire_name).inc()

    def refused(self, code: str) -> None:
        """A message was refused."""
        self._refused.labels(code).inc()

    def unnamed_client(self, reason: str) -> None:
        """A client could not be told from its proxy."""
        self._unnamed.labels(reason).inc()

    def dropped(self, code: str, proofs: int) -> None:
        """Accepted proofs were given up."""
        self._dropped.labels(code).inc(proofs)

    def posted(self, proofs: int, gas_used: int) -> None:
        """A batch is on chain."""
        self.batch("posted")
        self._batch_proofs.observe(proofs)
        self._task_gas.set(gas_used)

    def batch(self, outcome: str) -> None:
        """A batch was posted, verified, expired or failed."""
        self._batches.labels(outcome).inc()
