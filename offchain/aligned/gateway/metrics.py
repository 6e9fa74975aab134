"""Metrics of the gateway."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from aligned.core.aggregation import AggregationSystem
from aligned.observability import Metrics
from aligned.verifiers.base import Verdict
from aligned.vital_metrics import VitalMetrics

_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class GatewayMetrics(Metrics):
    """Submissions, verification, refusals and what is in use."""

    def __init__(self) -> None:
        super().__init__("gateway")
        self.vital = VitalMetrics(self, account=False)
        name = self.prefix
        self._accepted = Counter(
            f"{name}_accepted_total", "Proofs accepted", ["system"], registry=self.registry
        )
        self._repeated = Counter(
            f"{name}_repeated_total", "Submissions of a proof that was there", registry=self.registry
        )
        self._refused = Counter(
            f"{name}_refused_total", "Submissions refused", ["code"], registry=self.registry
        )
        self._verification = Histogram(
            f"{name}_verification_seconds",
            "Verification of a proof",
            ["system", "code"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._unnamed = Counter(
            f"{name}_clients_not_named_total",
            "Requests whose client could not be told from its proxy",
            ["reason"],
            registry=self.registry,
        )
        self.taken_over = Counter(
            f"{name}_taken_over_total", "Verifications that another process began", registry=self.registry
        )
        self._not_ready = Gauge(
            f"{name}_not_ready",
            "1 with the code of /readyz while it is 503",
            ["code"],
            registry=self.registry,
        )
        self.in_use = Gauge(
            f"{name}_in_use",
            "Uploads, their bytes, waiters, proofs to verify",
            ["what"],
            registry=self.registry,
        )

    def unnamed(self, reason: str) -> None:
        """A client could not be told from its proxy."""
        self._unnamed.labels(reason).inc()

    def ready(self, code: str | None) -> None:
        """Whether /readyz is 503, and why; None when it is not."""
        self._not_ready.clear()
        if code is not None:
            self._not_ready.labels(code).set(1)

    def accepted(self, system: AggregationSystem) -> None:
        """A proof waits in the queue."""
        self._accepted.labels(system.wire_name).inc()

    def repeated(self) -> None:
        """A proof was sent again."""
        self._repeated.inc()

    def refused(self, code: str) -> None:
        """A submission was refused."""
        self._refused.labels(code).inc()

    def verified(self, system: AggregationSystem, verdict: Verdict) -> None:
        """A verdict and how long it took."""
        self._verification.labels(system.wire_name, verdict.code).observe(verdict.seconds)
