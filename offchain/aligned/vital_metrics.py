"""The gauges that every role has beside its own: chain, account, readers of events, loops and database."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from aligned.observability import Metrics


class VitalMetrics:
    """What `chain.vitals.Vitals` sets, in a role's registry.

    Args:
        account: whether the role has an account that sends transactions.
    """

    def __init__(self, metrics: Metrics, *, account: bool) -> None:
        self._metrics = metrics
        self._totals: dict[tuple[str, ...], float] = {}
        self.head_block = self._gauge("head_block", "Newest block that the endpoints have")
        self.head_age = self._gauge("head_age_seconds", "Its age by this machine's clock")
        self.endpoint_head = self._gauge("rpc_head_block", "Newest block of an endpoint", "endpoint")
        self.endpoint_age = self._gauge("rpc_head_age_seconds", "Its age", "endpoint")
        self.endpoint_usable = self._gauge(
            "rpc_usable", "0 while the others are asked first: behind, failing or another chain", "endpoint"
        )
        self.rpc_requests = self._counter("rpc_requests", "Questions asked", "endpoint")
        self.rpc_failures = self._counter(
            "rpc_failures",
            "Questions without a useful answer, for which the next endpoint was asked",
            "endpoint",
        )
        self.rpc_failovers = self._counter(
            "rpc_failovers",
            "Questions that it answered in place of the first endpoint of the settings",
            "endpoint",
        )
        self.cursor_lag = self._gauge("cursor_lag_blocks", "Blocks up to the head not read yet", "cursor")
        self.cursor_lag_s = self._gauge(
            "cursor_lag_seconds",
            "Time of the chain between the last block that was read and the head",
            "cursor",
        )
        self.loop_age = self._gauge(
            "loop_age_seconds", "Since a loop came round, or its step came further", "loop"
        )
        self.loop_stuck = self._gauge("loop_stuck", "1 while that is longer than it may be", "loop")
        self.db_connections = self._gauge("database_connections", "Connections of the pool", "state")
        self.db_waiting = self._gauge("database_waiting", "Steps that wait for a connection")
        self.db_waits = self._counter("database_waits", "Steps that had to wait for a connection")
        self.db_wait_s = self._counter("database_wait_seconds", "How long they waited in all")
        self.db_repeats = self._counter("database_repeats", "Transactions tried again after a deadlock")
        self.account = AccountGauges(self) if account else None

    def total(self, counter: Counter, value: float, *labels: str) -> None:
        """Raises a counter to a total that is counted elsewhere, and may begin anew."""
        key = (str(id(counter)), *labels)
        last = self._totals.get(key, 0.0)
        self._totals[key] = value
        child = counter.labels(*labels) if labels else counter
        child.inc(value - last if value >= last else value)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{self._metrics.prefix}_{name}", text, labels, registry=self._metrics.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{self._metrics.prefix}_{name}", text, labels, registry=self._metrics.registry)


class AccountGauges:
    """Of the account that sends transactions."""

    def __init__(self, vital: VitalMetrics) -> None:
        gauge = vital._gauge  # noqa: SLF001 - a part of it
        self.balance = gauge("balance_wei", "Balance of the sending account")
        self.pending = gauge("tx_pending", "Transactions signed and not mined")
        self.pending_age = gauge("tx_pending_age_seconds", "Since the oldest of them was first signed")
        self.pending_fee = gauge("tx_pending_max_fee_wei", "Most that one of them offers per gas by now")
