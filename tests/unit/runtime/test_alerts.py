"""Alarms are about metrics that exist, and the runbook says what to do about each."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
import yaml

from aligned.batcher.metrics import BatcherMetrics
from aligned.bls_aggregator.metrics import AggregatorMetrics
from aligned.gateway.metrics import GatewayMetrics
from aligned.observability import Metrics
from aligned.operator.metrics import OperatorMetrics
from aligned.payments_poller.metrics import PollerMetrics
from aligned.proof_aggregator.metrics import ProofAggregatorMetrics

OPERATIONS = Path(__file__).resolve().parents[3] / "docs" / "operations"
ROLES: tuple[type[Metrics], ...] = (
    BatcherMetrics,
    AggregatorMetrics,
    GatewayMetrics,
    OperatorMetrics,
    PollerMetrics,
    ProofAggregatorMetrics,
)
# `aligned_(a|b)_rest` stands for both names.
METRIC = re.compile(r"aligned_(?:\((?P<roles>[\w|]+)\))?\w+")
VITAL = (
    "head_age_seconds",
    "rpc_usable",
    "rpc_failures_total",
    "rpc_failovers_total",
    "loop_stuck",
    "database_waiting",
    "pruned_rows_total",
)


def exported(metrics: Metrics) -> set[str]:
    names = set(re.findall(r"^# TYPE (\w+)", metrics.render().decode(), re.MULTILINE))
    return {name for name in names if not name.endswith("_created")}


def all_exported() -> set[str]:
    return set(itertools.chain.from_iterable(exported(role()) for role in ROLES))  # type: ignore[call-arg]


def named(expression: str) -> set[str]:
    found = set()
    for match in METRIC.finditer(expression):
        roles = match["roles"]
        whole = match[0]
        found |= (
            {whole} if roles is None else {whole.replace(f"({roles})", role) for role in roles.split("|")}
        )
    return found


def rules() -> list[dict[str, str]]:
    groups = yaml.safe_load((OPERATIONS / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_alert__its_metrics__are_exported_and_the_runbook_has_it(rule: dict[str, str]) -> None:
    used = named(rule["expr"])
    assert used
    assert used - all_exported() == set()
    assert f"| `{rule['alert']}` |" in (OPERATIONS / "runbook.md").read_text()


def test_named__alternatives__are_all_of_them() -> None:
    assert named("aligned_(a|b)_x > 1 and aligned_c_y") == {"aligned_a_x", "aligned_b_x", "aligned_c_y"}


def test_runbook__alarms__are_those_of_the_file() -> None:
    text = (OPERATIONS / "runbook.md").read_text()
    section = text[text.index("## Alarms") : text.index("## Backups")]
    listed = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(listed) == sorted(rule["alert"] for rule in rules())


@pytest.mark.parametrize("role", ROLES, ids=lambda role: str(role.__name__))
def test_role__what_every_one_depends_on__is_exported_and_alarmed(role: type[Metrics]) -> None:
    metrics = role()  # type: ignore[call-arg]
    wanted = {f"{metrics.prefix}_{name}" for name in VITAL}
    assert wanted - exported(metrics) == set()
    alarmed = set(itertools.chain.from_iterable(named(rule["expr"]) for rule in rules()))
    assert wanted - {f"{metrics.prefix}_pruned_rows_total"} - alarmed == set()


@pytest.mark.parametrize("role", [BatcherMetrics, AggregatorMetrics, ProofAggregatorMetrics])
def test_role_with_an_account__balance_and_pending_transactions__are_exported(role: type[Metrics]) -> None:
    metrics = role()  # type: ignore[call-arg]
    names = ("balance_wei", "tx_pending", "tx_pending_age_seconds", "tx_pending_max_fee_wei")
    assert {f"{metrics.prefix}_{name}" for name in names} <= exported(metrics)
