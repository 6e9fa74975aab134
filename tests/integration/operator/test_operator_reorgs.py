"""Reorganisations: one vote a task, whatever the chain does."""

from __future__ import annotations

from tests.integration.files import FileServer
from tests.integration.operator.harness import (
    StubAggregator,
    StubVerifier,
    file_of,
    proofs,
    root_of,
    running_operator,
)
from tests.integration.rig import Rig
from tests.integration.votes import eventually

BATCH = proofs(b"one")


async def test_operator__task_moves_to_another_block__votes_on_the_new_one(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator, poster, url = rig.operators[0], rig.node.new_account(), files.put("/batch", file_of(BATCH))
    settings, aggregator = rig.operator_settings(operator, postgres), StubAggregator()
    before = rig.node.rpc("evm_snapshot")
    old = rig.create_task(root_of(BATCH), url, poster)
    async with running_operator(rig, operator, settings, StubVerifier(), aggregator.transport()) as running:
        await running.reaches(old, "reported")
        rig.node.rpc("evm_revert", before)
        rig.node.mine()
        new = rig.create_task(root_of(BATCH), url, poster)
        await running.reaches(new, "reported")
        assert (await running.row(old))["last_code"] == "reorged"
    assert [body["task_block"] for _, body in aggregator.received] == [old.task_block, new.task_block]


async def test_operator__same_task_comes_back__reports_the_same_vote_without_verifying_again(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator, poster, url = rig.operators[0], rig.node.new_account(), files.put("/batch", file_of(BATCH))
    settings, aggregator = rig.operator_settings(operator, postgres), StubAggregator()
    verifier = StubVerifier()
    before = rig.node.rpc("evm_snapshot")
    task = rig.create_task(root_of(BATCH), url, poster)
    async with running_operator(rig, operator, settings, verifier, aggregator.transport()) as running:
        await running.reaches(task, "reported")
        rig.node.rpc("evm_revert", before)
        rig.node.rpc("evm_increaseTime", "0x64")
        assert rig.create_task(root_of(BATCH), url, poster) == task

        async def reported_again() -> bool:
            return len(aggregator.received) == 2

        await eventually(reported_again, lambda: "a second report")
        await running.reaches(task, "reported")
    assert aggregator.received[0] == aggregator.received[1]
    assert verifier.seen == [b"one"]


async def test_operator__database_of_another_operator__refuses_to_start(rig: Rig, postgres: str) -> None:
    first, second = rig.operators
    transport = StubAggregator().transport()
    settings = rig.operator_settings(first, postgres)
    async with running_operator(rig, first, settings, StubVerifier(), transport) as running:
        await eventually(running.is_bound, lambda: "the identity row")
    async with running_operator(rig, second, settings, StubVerifier(), transport) as running:
        await eventually(running.has_ended, lambda: "the end of the second operator")
        assert "database_of_another_operator" in str(running.loops.exception())
