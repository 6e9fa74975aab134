"""Metrics of the proof aggregator. docs/operations/runbook.md says which of them are alarms."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from aligned.chain.types import ChainReceipt
from aligned.core.aggregation import AggregationSystem
from aligned.observability import Metrics
from aligned.vital_metrics import VitalMetrics

_RUN_S = (10, 30, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 43_200)
_PROOFS = (1, 8, 64, 256, 1_024, 3_968, 7_936, 15_872, 23_808)


class ProofAggregatorMetrics(Metrics):
    """Queue, chunks, aggregations, money, and what went wrong."""

    def __init__(self) -> None:
        super().__init__("proof_aggregator")
        self.vital = VitalMetrics(self, account=True)
        self.queue_proofs = self._gauge(
            "queue_proofs", "Proofs that no aggregation has yet", "system", "state"
        )
        self.oldest_age = self._gauge("oldest_proof_age_seconds", "Wait of the oldest of them", "system")
        self.open = self._gauge("aggregations", "Aggregations short of final", "system", "state")
        self.blocked = self._gauge("blocked", "1 while the contract or the fees forbid to send", "system")
        self.run_seconds = self._histogram("run_seconds", "From begin to block", _RUN_S)
        self.run_proofs = self._histogram("run_proofs", "Proofs of an aggregation on chain", _PROOFS)
        self.gas = self._counter("gas", "Gas used", "system")
        self.blob_gas = self._counter("blob_gas", "Blob gas used", "system")
        self.fees = self._counter("fees_wei", "Paid for transactions", "system")
        self.cost_per_proof = self._gauge(
            "cost_per_proof_wei", "Fee and proving of the last aggregation, a proof", "system"
        )
        self.paid_per_proof = self._gauge(
            "paid_per_proof_wei", "What users paid for the proofs of the last aggregation, a proof", "system"
        )
        self.spent = self._gauge(
            "unpaid_spending_wei", "Cost of the last day's aggregations that cost more than was paid for"
        )
        self.deferred = self._gauge("deferred", "1 while proofs wait for the budget to grow", "system")
        self.lease_expiries = self._counter("lease_expiries", "Work taken over from a silent worker", "table")
        self.rejected = self._counter("rejected_proofs", "Proofs rejected while proving", "system", "code")
        self.store_damaged = self._counter(
            "store_damaged", "Stored proofs that were found missing or damaged", "kind"
        )
        self.splits = self._counter("split_chunks", "Chunks halved or rid of a proof", "system")
        self.failures = self._counter("failures", "Failed steps", "system", "step", "code")
        self.reorganised = self._counter(
            "reorganised_roots", "Roots that left the chain for a while", "system"
        )
        self.revoked = self._counter("revoked_roots", "Roots that the contract's guardian revoked")

    def mined(self, system: AggregationSystem, proofs: int, age_s: float, tx: ChainReceipt | None) -> None:
        """A root is on chain; `tx` is None when another account sent it."""
        self.run_proofs.labels(system.wire_name).observe(proofs)
        self.run_seconds.labels(system.wire_name).observe(age_s)
        if tx is not None:
            self.gas.labels(system.wire_name).inc(tx.gas_used)
            self.blob_gas.labels(system.wire_name).inc(tx.blob_gas_used)
            self.fees.labels(system.wire_name).inc(tx.fee_wei)

    def failed(self, system: AggregationSystem, step: str, code: str) -> None:
        """A step failed and will be tried again."""
        self.failures.labels(system.wire_name, step, code).inc()

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{self.prefix}_{name}", text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{self.prefix}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[int, ...]) -> Histogram:
        return Histogram(f"{self.prefix}_{name}", text, ["system"], buckets=buckets, registry=self.registry)
