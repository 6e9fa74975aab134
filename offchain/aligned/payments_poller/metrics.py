"""Metrics of the payments poller."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from aligned.observability import Metrics
from aligned.vital_metrics import VitalMetrics


class PollerMetrics(Metrics):
    """How far it has read, and what it found."""

    def __init__(self) -> None:
        super().__init__("payments_poller")
        self.vital = VitalMetrics(self, account=False)
        registry = self.registry
        self.events = Counter(
            f"{self.prefix}_events", "Payments and grants written", ["kind"], registry=registry
        )
        self.reorganisations = Counter(
            f"{self.prefix}_reorganisations", "Times that blocks were taken back", registry=registry
        )
        self._last_block = Gauge(
            f"{self.prefix}_last_processed_block", "Last block whose events are written", registry=registry
        )
        self._lag = Gauge(
            f"{self.prefix}_lag_blocks", "Blocks up to the head not read yet", registry=registry
        )
        self._active = Gauge(
            f"{self.prefix}_active_subscriptions", "Accounts whose quota has time left", registry=registry
        )

    def show(self, last_block: int, lag_blocks: int, active: int) -> None:
        """Sets the gauges."""
        self._last_block.set(last_block)
        self._lag.set(lag_blocks)
        self._active.set(active)
        self.succeeded("follower")
