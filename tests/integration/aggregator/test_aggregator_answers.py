"""The aggregator against the real contracts: from votes to a verified batch."""

from __future__ import annotations

import dataclasses

from aligned.bls_aggregator.claim import claim
from aligned.chain.contracts import BatchStatus
from tests.integration.rig import Rig
from tests.integration.votes import (
    RunningAggregator,
    refusal_of,
    running_aggregator,
    signature_of,
)

ROOT = b"\x11" * 32


async def _status(aggregator: RunningAggregator, root: bytes, sender: bytes) -> BatchStatus:
    return await aggregator.context.chain.manager.batch_status(root, sender)


async def test_aggregator__three_of_four_sign__batch_verified_on_chain(
    rig: Rig, aggregator: RunningAggregator
) -> None:
    task = rig.create_task(ROOT, "http://127.0.0.1/x")
    rig.node.mine()
    for operator in rig.operators[:3]:
        answer = await aggregator.sign(signature_of(rig, operator, task))
        assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    described = await aggregator.reaches(task, "answered")
    assert await _status(aggregator, task.root, task.sender) is BatchStatus.VERIFIED
    assert len(described["signers"]) == 3
    assert described["respond_tx_hash"] is not None


async def test_aggregator__all_sign__no_wait_for_late_signers(rig: Rig, postgres: str) -> None:
    settings = rig.aggregator_settings(rig.node.new_account(), postgres, late_signer_wait_s=3600.0)
    task = rig.create_task(ROOT, "x")
    rig.node.mine()
    async with running_aggregator(settings) as aggregator:
        for operator in rig.operators:
            assert (await aggregator.sign(signature_of(rig, operator, task))).status_code == 202
        await aggregator.reaches(task, "answered")


async def test_aggregator__two_of_four_sign__no_answer(rig: Rig, aggregator: RunningAggregator) -> None:
    task = rig.create_task(ROOT, "x")
    rig.node.mine()
    for operator in rig.operators[:2]:
        await aggregator.sign(signature_of(rig, operator, task))
    assert (await aggregator.task(task))["state"] == "open"
    rig.node.mine(300)
    assert (await aggregator.reaches(task, "expired"))["last_code"] == "window_over"
    late = await aggregator.sign(signature_of(rig, rig.operators[2], task))
    assert (late.status_code, late.json()["code"]) == (409, "task_closed")


async def test_aggregator__quorum_in_the_tasks_block__waits_for_the_next_block(
    rig: Rig, aggregator: RunningAggregator
) -> None:
    task = rig.create_task(ROOT, "x")
    for operator in rig.operators:
        await aggregator.sign(signature_of(rig, operator, task))
    await aggregator.reaches(task, "responding")
    assert await _status(aggregator, task.root, task.sender) is BatchStatus.PENDING
    rig.node.mine()
    await aggregator.reaches(task, "answered")


async def test_aggregator__two_tasks_at_once__both_answered(rig: Rig, aggregator: RunningAggregator) -> None:
    tasks = [rig.create_task(bytes([number]) * 32, "x") for number in (1, 2)]
    rig.node.mine()
    for operator in rig.operators:
        for task in tasks:
            assert (await aggregator.sign(signature_of(rig, operator, task))).status_code == 202
    for task in tasks:
        await aggregator.reaches(task, "answered")
        assert await _status(aggregator, task.root, task.sender) is BatchStatus.VERIFIED


async def test_aggregator__operators_refuse__refused_with_evidence(
    rig: Rig, aggregator: RunningAggregator
) -> None:
    task = rig.create_task(ROOT, "x")
    for operator in rig.operators[:2]:
        assert (await aggregator.refuse(refusal_of(rig, operator, task))).status_code == 202
    described = await aggregator.reaches(task, "refused")
    assert [refusal["leaf_index"] for refusal in described["refusals"]] == [1, 1]
    assert {refusal["reason"] for refusal in described["refusals"]} == {"invalid_proof"}
    assert described["refused_stake"] == str(2 * 10**19)


async def test_aggregator__was_off__answers_what_it_missed(rig: Rig, postgres: str) -> None:
    settings = rig.aggregator_settings(rig.node.new_account(), postgres)
    task = rig.create_task(ROOT, "x")
    rig.node.mine(200)
    async with running_aggregator(settings) as aggregator:
        for operator in rig.operators:
            assert (await aggregator.sign(signature_of(rig, operator, task))).status_code == 202
        await aggregator.reaches(task, "answered")


async def test_aggregator__operator_joined_after_the_task__weighs_nothing(
    rig: Rig, aggregator: RunningAggregator
) -> None:
    task = rig.create_task(ROOT, "x")
    late = rig.add_operator()
    answer = await aggregator.sign(signature_of(rig, late, task))
    assert (answer.status_code, answer.json()["code"]) == (403, "unknown_operator")
    for operator in rig.operators[:3]:
        await aggregator.sign(signature_of(rig, operator, task))
    await aggregator.reaches(task, "answered")


async def test_aggregator__operator_left_after_the_task__signature_counts(
    rig: Rig, aggregator: RunningAggregator
) -> None:
    task = rig.create_task(ROOT, "x")
    leaving = rig.operators[0]
    registry = aggregator.context.chain.registry
    rig.sender(leaving.account).transact(rig.deployment.operator_registry, registry.encode_deregister())
    for operator in rig.operators[:3]:
        assert (await aggregator.sign(signature_of(rig, operator, task))).status_code == 202
    await aggregator.reaches(task, "answered")


async def test_claim__after_an_answer__pays_the_aggregator(rig: Rig, postgres: str) -> None:
    account = rig.node.new_account()
    settings = rig.aggregator_settings(account, postgres)
    task = rig.create_task(ROOT, "x")
    rig.node.mine()
    async with running_aggregator(settings) as aggregator:
        for operator in rig.operators:
            await aggregator.sign(signature_of(rig, operator, task))
        await aggregator.reaches(task, "answered")
    done = await claim(settings)
    assert done.amount_wei > 0
    assert done.tx_hash is not None
    assert (await claim(settings)).amount_wei == 0


async def test_aggregator__threshold_raised_after_the_quorum__collects_on(
    rig: Rig, aggregator: RunningAggregator
) -> None:
    task = rig.create_task(ROOT, "x")
    for operator in rig.operators[:3]:
        await aggregator.sign(signature_of(rig, operator, task))
    await aggregator.reaches(task, "responding")
    config = await aggregator.context.chain.manager.config()
    everybody = dataclasses.replace(config, threshold_bps=10_000)
    rig.call_as_admin("setConfig", dataclasses.astuple(everybody))
    described = await aggregator.reaches(task, "open")
    assert described["last_code"] == "InvalidQuorumThreshold"
    assert (await aggregator.sign(signature_of(rig, rig.operators[3], task))).status_code == 202
    assert len((await aggregator.reaches(task, "answered"))["signers"]) == 4
