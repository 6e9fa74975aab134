"""From an event to a vote."""

from __future__ import annotations

import httpx
import pytest

from aligned.core import bls
from aligned.core.commitment import commit
from aligned.core.eip712 import refusal_digest, task_digest
from aligned.wire.aggregator import WHOLE_BATCH
from tests.integration.files import FileServer
from tests.integration.operator.harness import (
    StubAggregator,
    StubVerifier,
    file_of,
    proofs,
    root_of,
    running_operator,
)
from tests.integration.rig import Rig, RigTask
from tests.integration.votes import eventually, running_aggregator

GOOD = proofs(b"one", b"two", b"three")


async def test_operator__good_batch__signs_the_tasks_digest(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator, aggregator = rig.operators[0], StubAggregator()
    task = rig.create_task(root_of(GOOD), files.put("/good", file_of(GOOD)))
    settings = rig.operator_settings(operator, postgres)
    async with running_operator(rig, operator, settings, StubVerifier(), aggregator.transport()) as running:
        row = await running.reaches(task, "reported")
    digest = task_digest(task.batch_id, task.task_block, rig.deployment.chain_id, rig.manager)
    assert bls.verify(operator.secret.public_keys()[1], digest, bls.G1(row["signature"]))
    assert row["proofs"] == 3
    [(path, body)] = aggregator.received
    assert path == "/v1/signatures"
    assert bytes.fromhex(body["signature"][2:]) == row["signature"]


async def test_operator__wrong_proof__signs_a_refusal_of_the_first_failing_leaf(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator, aggregator = rig.operators[0], StubAggregator()
    batch = proofs(b"one", b"two", b"bad 1", b"four", b"bad 2")
    task = rig.create_task(root_of(batch), files.put("/bad", file_of(batch)))
    settings = rig.operator_settings(operator, postgres)
    async with running_operator(rig, operator, settings, StubVerifier(), aggregator.transport()) as running:
        row = await running.reaches(task, "reported")
    assert (row["leaf_index"], row["leaf"], row["reason"]) == (2, commit(batch[2]).leaf, "invalid_proof")
    where = (rig.deployment.chain_id, rig.manager)
    digest = refusal_digest(task.batch_id, task.task_block, 2, row["leaf"], "invalid_proof", *where)
    assert bls.verify(operator.secret.public_keys()[1], digest, bls.G1(row["signature"]))
    assert [path for path, _ in aggregator.received] == ["/v1/refusals"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "undecodable_batch"),
        (b"\x9f", "undecodable_batch"),
        (b"\xff" * 100, "undecodable_batch"),
        (b"\x9b\x00\x00\x00\x00\x40\x00\x00\x00", "undecodable_batch"),
        (file_of(proofs(b"other")), "root_mismatch"),
    ],
    ids=["empty", "cut", "garbage", "1 GiB announced", "another batch"],
)
async def test_operator__wrong_file__refuses_the_batch(
    rig: Rig, files: FileServer, postgres: str, content: bytes, reason: str
) -> None:
    operator, verifier = rig.operators[0], StubVerifier()
    task = rig.create_task(root_of(GOOD), files.put("/file", content))
    settings = rig.operator_settings(operator, postgres)
    async with running_operator(rig, operator, settings, verifier, StubAggregator().transport()) as running:
        row = await running.reaches(task, "reported")
    assert (row["leaf_index"], row["leaf"], row["reason"]) == (WHOLE_BATCH, bytes(32), reason)
    assert verifier.seen == []


async def test_operator__second_pointer_has_the_file__signs(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator = rig.operators[0]
    pointers = [files.put("/wrong", b"\x80"), "http://127.0.0.1:1/none", files.put("/good", file_of(GOOD))]
    task = rig.create_task(root_of(GOOD), ",".join(pointers))
    settings = rig.operator_settings(operator, postgres)
    async with running_operator(
        rig, operator, settings, StubVerifier(), StubAggregator().transport()
    ) as running:
        assert (await running.reaches(task, "reported"))["reason"] is None


async def test_operator__verifier_disabled_before_the_task__refuses_that_leaf(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator, verifier = rig.operators[0], StubVerifier()
    rig.call_as_admin("setDisabledVerifiers", 1 << 3)
    task = rig.create_task(root_of(GOOD), files.put("/good", file_of(GOOD)))
    rig.call_as_admin("setDisabledVerifiers", 0)
    settings = rig.operator_settings(operator, postgres)
    async with running_operator(rig, operator, settings, verifier, StubAggregator().transport()) as running:
        row = await running.reaches(task, "reported")
    assert (row["leaf_index"], row["reason"]) == (0, "verifier_disabled")
    assert verifier.seen == []


async def test_operator__off_for_many_blocks__catches_up(rig: Rig, files: FileServer, postgres: str) -> None:
    operator = rig.operators[0]
    settings = rig.operator_settings(operator, postgres)
    batches = [proofs(b"proof %d" % number) for number in range(3)]

    def post(number: int) -> RigTask:
        return rig.create_task(root_of(batches[number]), files.put(f"/{number}", file_of(batches[number])))

    first = post(0)
    async with running_operator(
        rig, operator, settings, StubVerifier(), StubAggregator().transport()
    ) as running:
        await running.reaches(first, "reported")
    missed = []
    for number in (1, 2):
        rig.node.mine(50)
        missed.append(post(number))
    rig.node.mine(50)
    async with running_operator(
        rig, operator, settings, StubVerifier(), StubAggregator().transport()
    ) as running:
        for task in missed:
            await running.reaches(task, "reported")


async def test_operator__window_is_over__does_not_download(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator = rig.operators[0]
    task = rig.create_task(root_of(GOOD), files.put("/good", file_of(GOOD)))
    settings = rig.operator_settings(operator, postgres)
    async with running_operator(
        rig, operator, settings, StubVerifier(), StubAggregator().transport()
    ) as running:
        await running.reaches(task, "reported")
    late = rig.create_task(root_of(GOOD), files.put("/late", file_of(GOOD)))
    rig.node.mine(301)
    async with running_operator(
        rig, operator, settings, StubVerifier(), StubAggregator().transport()
    ) as running:
        assert (await running.reaches(late, "skipped"))["last_code"] == "expired"
    assert "/late" not in files.hits


async def test_operator__not_in_the_set_at_the_tasks_block__skips(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    task = rig.create_task(root_of(GOOD), files.put("/good", file_of(GOOD)))
    late = rig.add_operator()
    settings = rig.operator_settings(late, postgres)
    async with running_operator(rig, late, settings, StubVerifier(), StubAggregator().transport()) as running:
        row = await running.reaches(task, "skipped")
    assert row["last_code"] == "not_registered_at_task_block"


async def test_operator__aggregator_does_not_know_the_task_yet__reports_again(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator = rig.operators[0]
    again = {"code": "unknown_task"}
    aggregator = StubAggregator(
        [
            httpx.Response(404, json=again),
            httpx.Response(500),
            httpx.Response(429, json={"code": "rate_limited"}),
        ]
    )
    task = rig.create_task(root_of(GOOD), files.put("/good", file_of(GOOD)))
    settings = rig.operator_settings(operator, postgres)
    async with running_operator(rig, operator, settings, StubVerifier(), aggregator.transport()) as running:
        await running.reaches(task, "reported")
    assert len(aggregator.received) == 4
    assert len({body["signature"] for _, body in aggregator.received}) == 1


async def test_operator__two_aggregators_one_down__the_other_hears_of_it(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator, heard = rig.operators[0], StubAggregator()
    task = rig.create_task(root_of(GOOD), files.put("/good", file_of(GOOD)))
    settings = rig.operator_settings(operator, postgres, aggregator_urls=("http://down", "http://up"))

    async def route(request: httpx.Request) -> httpx.Response:
        if request.url.host == "down":
            raise httpx.ConnectError("down")
        return await heard.transport().handle_async_request(request)

    async with running_operator(
        rig, operator, settings, StubVerifier(), httpx.MockTransport(route)
    ) as running:
        await running.reaches(task, "signed")
        await eventually(heard.has_votes, lambda: "a vote")
        assert (await running.row(task))["state"] == "signed"
        rig.node.mine(301)
        await running.reaches(task, "reported")


async def test_operators__real_aggregator__batch_verified(
    rig: Rig, files: FileServer, postgres_server: object
) -> None:
    databases = [postgres_server.url(f"votes_{name}") for name in ("a", "o0", "o1")]  # type: ignore[attr-defined]
    task = rig.create_task(root_of(GOOD), files.put("/good", file_of(GOOD)))
    rig.node.mine()
    account = rig.node.new_account()
    async with running_aggregator(rig.aggregator_settings(account, databases[0])) as aggregator:
        transport = aggregator.http._transport
        first, second = rig.operators
        async with (
            running_operator(
                rig, first, rig.operator_settings(first, databases[1]), StubVerifier(), transport
            ) as one,
            running_operator(
                rig, second, rig.operator_settings(second, databases[2]), StubVerifier(), transport
            ) as two,
        ):
            await one.reaches(task, "reported")
            await two.reaches(task, "reported")
            await aggregator.reaches(task, "answered")
