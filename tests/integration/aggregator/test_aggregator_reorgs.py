"""Reorganisations and events that want to stop the aggregator."""

from __future__ import annotations

from tests.integration.rig import Rig
from tests.integration.votes import RunningAggregator, eventually, running_aggregator, signature_of

ROOT = b"\x55" * 32


async def test_aggregator__task_moves_to_another_block__old_signatures_are_void(
    rig: Rig, aggregator: RunningAggregator
) -> None:
    poster = rig.node.new_account()
    before = rig.node.rpc("evm_snapshot")
    old = rig.create_task(ROOT, "x", poster)
    old_votes = [signature_of(rig, operator, old) for operator in rig.operators]
    for vote in old_votes[:2]:
        assert (await aggregator.sign(vote)).status_code == 202
    rig.node.rpc("evm_revert", before)
    rig.node.mine()
    new = rig.create_task(ROOT, "x", poster)
    assert (new.batch_id, new.task_block) == (old.batch_id, old.task_block + 1)

    async def moved() -> bool:
        return (await aggregator.task(new)).get("task_block") == new.task_block

    await eventually(moved, lambda: "the task in its new block")
    assert (await aggregator.sign(old_votes[2])).json()["code"] == "wrong_task_block"
    assert (await aggregator.task(new))["signers"] == []
    for operator in rig.operators:
        assert (await aggregator.sign(signature_of(rig, operator, new))).status_code == 202
    rig.node.mine()
    await aggregator.reaches(new, "answered")


async def test_aggregator__same_task_comes_back_in_the_same_block__its_votes_count(
    rig: Rig, aggregator: RunningAggregator
) -> None:
    poster = rig.node.new_account()
    before = rig.node.rpc("evm_snapshot")
    task = rig.create_task(ROOT, "x", poster)
    for operator in rig.operators[:2]:
        assert (await aggregator.sign(signature_of(rig, operator, task))).status_code == 202
    rig.node.rpc("evm_revert", before)
    rig.node.rpc("evm_increaseTime", "0x64")
    assert rig.create_task(ROOT, "x", poster) == task
    rig.node.mine()
    assert (await aggregator.sign(signature_of(rig, rig.operators[2], task))).status_code == 202
    described = await aggregator.reaches(task, "answered")
    assert len(described["signers"]) == 3


async def test_aggregator__its_answer_is_reorganised_away__answers_again(
    rig: Rig, aggregator: RunningAggregator
) -> None:
    task = rig.create_task(ROOT, "x")
    rig.node.mine()
    before = rig.node.rpc("evm_snapshot")
    for operator in rig.operators:
        await aggregator.sign(signature_of(rig, operator, task))
    first = await aggregator.reaches(task, "answered")
    rig.node.rpc("evm_revert", before)
    rig.node.mine(3)

    async def answered_anew() -> bool:
        described = await aggregator.task(task)
        manager = aggregator.context.chain.manager
        state = await manager.batches_state(task.batch_id)
        return bool(state.responded and described["state"] == "answered")

    await eventually(answered_anew, lambda: "a second answer")
    assert (await aggregator.task(task))["answered_block"] > first["answered_block"]


async def test_aggregator__somebody_else_answers__task_ends(
    rig: Rig, aggregator: RunningAggregator, postgres_server: object
) -> None:
    own = rig.aggregator_settings(
        rig.node.new_account(),
        postgres_server.url("other_aggregator"),  # type: ignore[attr-defined]
    )
    task = rig.create_task(ROOT, "x")
    rig.node.mine()
    async with running_aggregator(own) as other:
        for operator in rig.operators:
            await other.sign(signature_of(rig, operator, task))
        await other.reaches(task, "answered")
        theirs = await other.task(task)
    described = await aggregator.reaches(task, "answered")
    assert described["respond_tx_hash"] == theirs["respond_tx_hash"]
    assert described["signers"] == []


async def test_aggregator__pointer_is_no_text__others_go_on(rig: Rig, aggregator: RunningAggregator) -> None:
    rig.create_task_with_raw_pointer(b"\x44" * 32, b"\xff\xfe\x80", rig.node.new_account())
    task = rig.create_task(ROOT, "x")
    rig.node.mine()
    for operator in rig.operators:
        assert (await aggregator.sign(signature_of(rig, operator, task))).status_code == 202
    await aggregator.reaches(task, "answered")
