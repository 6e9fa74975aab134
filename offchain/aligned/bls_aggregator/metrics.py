"""Metrics of the aggregator."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from aligned.observability import Metrics
from aligned.vital_metrics import VitalMetrics


class AggregatorMetrics(Metrics):
    """Votes by answer, tasks by outcome, and how long they took."""

    def __init__(self) -> None:
        super().__init__("aggregator")
        self.vital = VitalMetrics(self, account=True)
        registry = self.registry
        self.votes = Counter(
            f"{self.prefix}_votes", "Votes received, by answer", ["answer"], registry=registry
        )
        self.tasks = Counter(
            f"{self.prefix}_tasks", "Tasks that ended, by outcome", ["outcome"], registry=registry
        )
        self.respond_seconds = Histogram(
            f"{self.prefix}_respond_seconds", "From the fixed answer to its block", registry=registry
        )
        self.respond_gas = Counter(f"{self.prefix}_respond_gas", "Gas used by answers", registry=registry)
