"""Metrics of the operator."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from aligned.observability import Metrics
from aligned.vital_metrics import VitalMetrics


class OperatorMetrics(Metrics):
    """Tasks by outcome, proofs, seconds, and what aggregators answered."""

    def __init__(self) -> None:
        super().__init__("operator")
        self.vital = VitalMetrics(self, account=False)
        registry = self.registry
        self.tasks = Counter(
            f"{self.prefix}_tasks", "Tasks that ended, by outcome", ["outcome"], registry=registry
        )
        self.proofs = Counter(
            f"{self.prefix}_proofs", "Proofs in batches that were judged", registry=registry
        )
        self.verify_seconds = Histogram(
            f"{self.prefix}_verify_seconds",
            "Seconds to verify a batch",
            buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 1800),
            registry=registry,
        )
        self.reports = Counter(
            f"{self.prefix}_reports", "Answers of aggregators, by code", ["code"], registry=registry
        )
        self.reports_waiting = Gauge(
            f"{self.prefix}_reports_waiting", "Votes not delivered", ["aggregator"], registry=registry
        )
        self.aggregator_reachable = Gauge(
            f"{self.prefix}_aggregator_reachable",
            "1 when the latest request was answered, 0 when not",
            ["aggregator"],
            registry=registry,
        )
