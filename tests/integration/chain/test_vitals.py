"""The gauges that every role has, over a real node, database and sender."""

from __future__ import annotations

import asyncio
import re

from aligned.chain.client import ChainClient
from aligned.chain.vitals import Sources, Vitals
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError
from aligned.loops import repeat, run_all
from aligned.observability import Metrics
from aligned.storage.postgres import Database
from aligned.vital_metrics import VitalMetrics
from tests.integration.chain.sending import Make, until_pending
from tests.integration.node import Anvil


def _value(metrics: Metrics, name: str) -> float:
    """The one sample of a metric."""
    [found] = re.findall(
        rf"^{metrics.prefix}_{name}(?:{{.*}})? (\S+)$", metrics.render().decode(), re.MULTILINE
    )
    return float(found)


async def _lag(head: int) -> int:
    return head - 1


async def test_vitals__transaction_waits__account_cursor_head_and_endpoint_are_shown(
    database: Database, make: Make, manual: Anvil
) -> None:
    account = manual.new_account()
    sender = make(manual, account)
    manual.mine(2)
    manual.rpc("evm_increaseTime", 30)
    manual.mine()
    metrics = Metrics("batcher")
    async with ChainClient([manual.url], manual.chain_id) as client:
        vitals = Vitals(
            VitalMetrics(metrics, account=True), Sources(client, database, sender), {"events": _lag}
        )
        sending = asyncio.create_task(sender.send("k", b"\xee" * 20, value=1))
        await until_pending(manual)
        await vitals.step()
        assert not await vitals.step()
        assert (_value(metrics, "tx_pending"), _value(metrics, "cursor_lag_blocks")) == (1, 2)
        assert _value(metrics, "tx_pending_max_fee_wei") > 0
        assert _value(metrics, "tx_pending_age_seconds") > 0
        assert _value(metrics, "head_block") == 3
        assert _value(metrics, "cursor_lag_seconds") >= 30
        assert _value(metrics, "rpc_usable") == 1
        assert _value(metrics, "rpc_requests_total") > 0
        balance = _value(metrics, "balance_wei")
        manual.mine()
        await sending
        await vitals.step()
        assert _value(metrics, "tx_pending") == 0
        assert 0 < _value(metrics, "balance_wei") < balance


async def test_vitals__node_is_gone__database_and_journal_are_still_shown(
    database: Database, make: Make
) -> None:
    metrics = Metrics("batcher")
    with Anvil() as node:
        sender = make(node, node.new_account())
        url, chain_id = node.url, node.chain_id
    async with ChainClient([url], chain_id, timeout_s=2) as client:
        vitals = Vitals(VitalMetrics(metrics, account=True), Sources(client, database, sender))
        await vitals.step()
        await vitals.step()
    assert _value(metrics, "tx_pending") == 0
    assert _value(metrics, "rpc_failures_total") > 0
    assert sum(map(float, re.findall(r"database_connections{.*} (\S+)", metrics.render().decode()))) >= 1


async def test_vitals__loops_of_the_role__each_has_its_age(database: Database, anvil: Anvil) -> None:
    metrics, stop = Metrics("operator"), asyncio.Event()
    async with ChainClient([anvil.url], anvil.chain_id) as client:
        vitals = Vitals(VitalMetrics(metrics, account=False), Sources(client, database))

        async def work() -> bool:
            await asyncio.sleep(0)
            return False

        async def look() -> bool:
            await vitals.step()
            stop.set()
            return False

        await run_all(stop, repeat("work", work, stop, 0.01), repeat("vitals", look, stop, 0.01))
    text = metrics.render().decode()
    assert 'aligned_operator_loop_stuck{loop="work"} 0.0' in text
    assert 'aligned_operator_loop_age_seconds{loop="vitals"}' in text


async def test_vitals__reader_of_events_fails__the_others_are_shown(database: Database, anvil: Anvil) -> None:
    metrics = Metrics("operator")

    async def broken(head: int) -> int:
        raise DependencyError(CHAIN_UNAVAILABLE, "broken")

    async with ChainClient([anvil.url], anvil.chain_id) as client:
        vitals = Vitals(VitalMetrics(metrics, account=False), Sources(client, database), {"a": broken})
        assert not await vitals.step()
    assert _value(metrics, "head_age_seconds") >= 0


def test_total__source_begins_anew__counter_goes_on() -> None:
    metrics = Metrics("operator")
    vital = VitalMetrics(metrics, account=False)
    for total in (5, 7, 7, 3):
        vital.total(vital.rpc_requests, total, "node")
    assert _value(metrics, "rpc_requests_total") == 10
