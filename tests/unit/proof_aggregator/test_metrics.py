"""What an aggregation on chain counts."""

from __future__ import annotations

from aligned.chain.types import ChainReceipt
from aligned.core.aggregation import AggregationSystem
from aligned.proof_aggregator.metrics import ProofAggregatorMetrics


def test_mined__own_transaction__gas_blob_gas_and_fees_are_counted() -> None:
    metrics = ProofAggregatorMetrics()
    tx = ChainReceipt(b"", True, 1, b"", 1_000, 7, (), blob_gas_used=131_072, blob_gas_price_wei=3)
    metrics.mined(AggregationSystem.SP1, 5, 60.0, tx)
    metrics.mined(AggregationSystem.SP1, 5, 60.0, None)
    text = metrics.render().decode()
    assert 'aligned_proof_aggregator_gas_total{system="sp1"} 1000.0' in text
    assert 'aligned_proof_aggregator_blob_gas_total{system="sp1"} 131072.0' in text
    assert f'aligned_proof_aggregator_fees_wei_total{{system="sp1"}} {float(7_000 + 3 * 131_072)}' in text
    assert 'aligned_proof_aggregator_run_proofs_sum{system="sp1"} 10.0' in text
