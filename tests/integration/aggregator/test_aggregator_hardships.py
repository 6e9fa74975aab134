"""Answers that cost more than they bring, tasks that break, and answers that the chain keeps refusing."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from aligned.bls_aggregator.collector import Collector
from aligned.bls_aggregator.tasks import Task
from aligned.chain.client import BlockId
from aligned.chain.contracts import ServiceConfig
from aligned.core.batch import batch_id
from tests.integration.rig import FEE_WEI, Rig, RigTask
from tests.integration.votes import RunningAggregator, eventually, running_aggregator, signature_of

ROOT, OTHER = b"\x11" * 32, b"\x22" * 32


async def _all_sign(rig: Rig, aggregator: RunningAggregator, task: RigTask) -> None:
    for operator in rig.operators:
        assert (await aggregator.sign(signature_of(rig, operator, task))).status_code == 202


@asynccontextmanager
async def _priced(aggregator: RunningAggregator, price_wei: int) -> AsyncIterator[None]:
    """The node names another gas price meanwhile."""
    client = aggregator.context.chain.client
    real = client.gas_price

    async def gas_price() -> int:
        return price_wei

    client.gas_price = gas_price  # type: ignore[method-assign]
    yield
    client.gas_price = real  # type: ignore[method-assign]


async def _is_logged(entries: list[Any], event: str, times: int = 1) -> bool:
    return [entry["event"] for entry in entries].count(event) >= times


async def test_aggregator__answer_dearer_than_the_fee__held_back_until_the_price_falls(
    rig: Rig, postgres: str
) -> None:
    account = rig.node.new_account()
    task = rig.create_task(ROOT, "x")
    rig.node.mine()
    with capture_logs() as logs:
        async with running_aggregator(rig.aggregator_settings(account, postgres)) as aggregator:
            # At the fee's last wei per gas it would be just paid; an answer takes more than 100,000 gas.
            async with _priced(aggregator, FEE_WEI // 100_000):
                await _all_sign(rig, aggregator, task)
                await eventually(lambda: _is_logged(logs, "answer_too_dear", 2), lambda: "two looks")
                assert (await aggregator.task(task))["state"] == "responding"
                assert rig.node.nonce(account.address) == 0
            await aggregator.reaches(task, "answered")
    assert rig.node.nonce(account.address) == 1


@pytest.mark.parametrize("price_wei", [FEE_WEI // 1_000, FEE_WEI], ids=["too-dear", "beyond-our-means"])
async def test_aggregator__answer_too_dear_until_the_window_ends__expires(
    rig: Rig, postgres: str, price_wei: int
) -> None:
    account = rig.node.new_account()
    task = rig.create_task(ROOT, "x")
    rig.node.mine()
    settings = rig.aggregator_settings(account, postgres)
    async with running_aggregator(settings) as aggregator, _priced(aggregator, price_wei):
        await _all_sign(rig, aggregator, task)
        await aggregator.reaches(task, "responding")
        rig.node.mine(300)
        await aggregator.reaches(task, "expired")
    assert rig.node.nonce(account.address) == 0


async def test_aggregator__gas_rises_while_the_answer_is_pending__given_up_then_answered_when_it_falls(
    rig: Rig, postgres: str
) -> None:
    """What is bid follows from the task's fee, not from the account's limit."""
    account = rig.node.new_account()
    task = rig.create_task(ROOT, "x")
    rig.node.mine()
    rig.node.rpc("evm_setAutomine", False)
    settings = rig.aggregator_settings(account, postgres, give_up_after_s=0.3)
    quick = settings.chain.model_copy(update={"bump_after_s": 0.2})
    settings = settings.model_copy(update={"chain": quick})
    async with running_aggregator(settings) as aggregator:
        with capture_logs() as logs:
            await _all_sign(rig, aggregator, task)

            async def is_sent() -> bool:
                return rig.node.rpc("eth_getBlockTransactionCountByNumber", "pending") != "0x0"

            async def is_given_up() -> bool:
                rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(200 * 10**9))
                rig.node.mine()
                return await _is_logged(logs, "answer_given_up")

            async def is_answered() -> bool:
                rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
                rig.node.mine()
                return bool((await aggregator.task(task))["state"] == "answered")

            await eventually(is_sent, lambda: "an answer")
            await eventually(is_given_up, lambda: "given up")
        async with aggregator.context.db.transaction() as conn:
            found = await conn.execute("SELECT max(max_fee_wei) AS most FROM tx_attempt WHERE NOT is_cancel")
            row = await found.fetchone()
        assert row is not None
        assert row["most"] < FEE_WEI // 90_000
        await eventually(is_answered, lambda: "an answer when it is cheap")
    assert rig.node.nonce(account.address) == 2


async def test_aggregator__told_to_answer_always__answers_at_a_loss(rig: Rig, postgres: str) -> None:
    settings = rig.aggregator_settings(rig.node.new_account(10**6), postgres, answer_min_fee_percent=0)
    task = rig.create_task(ROOT, "x")
    rig.node.mine()
    async with running_aggregator(settings) as aggregator, _priced(aggregator, 10**12):
        await _all_sign(rig, aggregator, task)
        await aggregator.reaches(task, "answered")


async def test_aggregator__one_task_raises_the_unexpected__others_are_answered(
    rig: Rig, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, broken = Collector._answer, asyncio.Event()

    def answer(self: Collector, task: Task, tally: Any) -> bytes:
        if task.batch_root == ROOT and not broken.is_set():
            raise RecursionError("deep")
        return real(self, task, tally)

    monkeypatch.setattr(Collector, "_answer", answer)
    settings = rig.aggregator_settings(rig.node.new_account(), postgres, task_workers=1)
    poison, good = rig.create_task(ROOT, "x"), rig.create_task(OTHER, "x")
    rig.node.mine()
    async with running_aggregator(settings) as aggregator:
        await _all_sign(rig, aggregator, poison)

        async def has_failed() -> bool:
            return bool((await aggregator.task(poison))["last_code"] == "internal_error")

        await eventually(has_failed, lambda: "internal_error")
        await _all_sign(rig, aggregator, good)
        await aggregator.reaches(good, "answered")
        broken.set()
        await aggregator.reaches(poison, "answered")


async def test_aggregator__answer_refused_again_and_again__rounds_come_at_growing_pauses(
    rig: Rig, postgres: str
) -> None:
    settings = rig.aggregator_settings(
        rig.node.new_account(), postgres, late_signer_wait_s=0.0, max_retry_s=3_600.0
    )
    task = rig.create_task(ROOT, "x")
    async with running_aggregator(settings) as aggregator:
        for operator in rig.operators[:3]:
            await aggregator.sign(signature_of(rig, operator, task))
        await aggregator.reaches(task, "responding")
        config = await aggregator.context.chain.manager.config()
        # What the task has collected is not enough any more, for ever.
        everybody = dataclasses.replace(config, threshold_bps=10_000)
        rig.call_as_admin("setConfig", dataclasses.astuple(everybody))
        # The aggregator itself goes on believing in the old threshold.
        manager = aggregator.context.chain.manager

        async def stale(block: BlockId = "latest") -> ServiceConfig:
            return config

        manager.config = stale  # type: ignore[method-assign]
        held = await _holds(aggregator, task, rounds=3)
    assert held[1] > 1.5 * held[0]
    assert held[2] > 1.5 * held[1]


async def _holds(aggregator: RunningAggregator, task: RigTask, rounds: int) -> list[float]:
    """Seconds for which each of the first refused answers holds the task."""
    held: dict[int, float] = {}

    async def enough() -> bool:
        async with aggregator.context.db.transaction() as conn:
            found = await conn.execute(
                "SELECT failures, extract(epoch FROM held_until - updated_at)::float8 AS held_s"
                " FROM aggregator_tasks WHERE batch_id = %s AND state = 'open' AND failures > 0",
                (batch_id(task.root, task.sender),),
            )
            for row in await found.fetchall():
                held.setdefault(row["failures"], row["held_s"])
        return len(held) >= rounds

    await eventually(enough, lambda: f"{rounds} refused answers")
    return [held[number] for number in range(1, rounds + 1)]
