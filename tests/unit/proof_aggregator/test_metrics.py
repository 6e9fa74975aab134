"""Alarms are about metrics that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from aligned.chain.types import ChainReceipt
from aligned.core.aggregation import AggregationSystem
from aligned.proof_aggregator.metrics import ProofAggregatorMetrics

RULES = Path(__file__).resolve().parents[3] / "docs" / "operations" / "alerts.yaml"
METRIC = re.compile(r"aligned_proof_aggregator_\w+")


def exported() -> set[str]:
    text = ProofAggregatorMetrics().render().decode()
    names = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    return {name for name in names if not name.endswith("_created")}


def rules() -> list[dict[str, str]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_alert__its_metrics__are_exported(rule: dict[str, str]) -> None:
    used = set(METRIC.findall(rule["expr"]))
    assert used
    assert used <= exported()


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
