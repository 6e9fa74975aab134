"""What the aggregator says to votes that it must not count."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from aligned.core.bls import G1, aggregate_g1, g1_bytes, g1_words
from aligned.core.eip712 import task_digest
from aligned.wire.aggregator import hex_of
from tests.integration.rig import Rig, RigTask, running_rig
from tests.integration.votes import (
    RunningAggregator,
    eventually,
    refusal_of,
    running_aggregator,
    signature_of,
)

FIELD_MODULUS = 21888242871839275222246405745257275088696311157297823662689037894645226208583
_roots = itertools.count(1)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running_rig(tmp_path_factory.mktemp("rig"), operators=3) as chain:
        yield chain


@pytest_asyncio.fixture
async def aggregator(rig: Rig, postgres: str) -> AsyncIterator[RunningAggregator]:
    async with running_aggregator(rig.aggregator_settings(rig.node.new_account(), postgres)) as running:
        yield running


@pytest.fixture
def task(rig: Rig) -> RigTask:
    return rig.create_task(next(_roots).to_bytes(32), "x")


def _code(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def test_signatures__key_not_registered__refused(
    rig: Rig, aggregator: RunningAggregator, task: RigTask
) -> None:
    stranger = rig.new_operator(99)
    assert _code(await aggregator.sign(signature_of(rig, stranger, task))) == (403, "unknown_operator")


async def test_signatures__own_key_under_anothers_id__refused(
    rig: Rig, aggregator: RunningAggregator, task: RigTask
) -> None:
    honest, thief = rig.operators[:2]
    body = signature_of(rig, thief, task, operator_id=hex_of(honest.operator_id))
    assert _code(await aggregator.sign(body)) == (400, "invalid_signature")


async def test_signatures__unknown_batch__not_found_and_told_to_retry(rig: Rig, postgres: str) -> None:
    unknown = RigTask(b"\xee" * 32, bytes(20), 5)
    settings = rig.aggregator_settings(rig.node.new_account(), postgres, unknown_task_wait_s=0.1)
    async with running_aggregator(settings) as aggregator:
        answer = await aggregator.sign(signature_of(rig, rig.operators[0], unknown))
    assert _code(answer) == (404, "unknown_task")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("shift", [-1, 1])
async def test_signatures__other_task_block__refused(
    rig: Rig, aggregator: RunningAggregator, task: RigTask, shift: int
) -> None:
    await aggregator.reaches(task, "open")
    elsewhere = RigTask(task.root, task.sender, task.task_block + shift)
    body = signature_of(rig, rig.operators[0], elsewhere)
    assert _code(await aggregator.sign(body)) == (409, "wrong_task_block")


@pytest.mark.parametrize("replayed_from", ["chain", "contract", "task"])
async def test_signatures__made_for_something_else__refused(
    rig: Rig, aggregator: RunningAggregator, task: RigTask, replayed_from: str
) -> None:
    operator = rig.operators[0]
    chain_id, manager, identity = rig.deployment.chain_id, rig.manager, task.batch_id
    digest = {
        "chain": task_digest(identity, task.task_block, 1, manager),
        "contract": task_digest(identity, task.task_block, chain_id, b"\x01" * 20),
        "task": task_digest(b"\x02" * 32, task.task_block, chain_id, manager),
    }[replayed_from]
    body = signature_of(rig, operator, task, signature=hex_of(operator.secret.sign(digest)))
    assert _code(await aggregator.sign(body)) == (400, "invalid_signature")


def _negated(point: bytes) -> bytes:
    x, y = g1_words(point)
    return g1_bytes((x, FIELD_MODULUS - y))


def _plus_modulus(point: bytes) -> bytes:
    x, y = g1_words(point)
    return g1_bytes((x + FIELD_MODULUS, y))


@pytest.mark.parametrize(
    "bend",
    [
        lambda point: bytes(64),
        lambda point: bytes(63) + b"\x01",
        lambda point: b"\xff" * 64,
        _negated,
        _plus_modulus,
        lambda point: aggregate_g1([G1(point), G1(point)]),
    ],
    ids=["infinity", "off-curve", "above-modulus", "negated", "non-canonical", "doubled"],
)
async def test_signatures__bent_point__refused_and_the_true_one_still_counts(
    rig: Rig, aggregator: RunningAggregator, task: RigTask, bend: Any
) -> None:
    body = signature_of(rig, rig.operators[0], task)
    bent = body | {"signature": hex_of(bend(bytes.fromhex(body["signature"][2:])))}
    assert _code(await aggregator.sign(bent)) == (400, "invalid_signature")
    assert (await aggregator.sign(body)).status_code == 202


async def test_signatures__sent_twice__counted_once(
    rig: Rig, aggregator: RunningAggregator, task: RigTask
) -> None:
    body = signature_of(rig, rig.operators[0], task)
    assert (await aggregator.sign(body)).status_code == 202
    again = await aggregator.sign(body)
    assert (again.status_code, again.json()) == (200, {"status": "already_signed"})
    described = await aggregator.task(task)
    assert (described["signed_stake"], len(described["signers"])) == (str(10**19), 1)


async def test_signatures__refusal_as_signature__refused(
    rig: Rig, aggregator: RunningAggregator, task: RigTask
) -> None:
    operator = rig.operators[0]
    body = signature_of(rig, operator, task, signature=refusal_of(rig, operator, task)["signature"])
    assert _code(await aggregator.sign(body)) == (400, "invalid_signature")


async def test_refusals__after_a_signature__conflict(
    rig: Rig, aggregator: RunningAggregator, task: RigTask
) -> None:
    operator = rig.operators[0]
    await aggregator.sign(signature_of(rig, operator, task))
    assert _code(await aggregator.refuse(refusal_of(rig, operator, task))) == (409, "conflicting_vote")


async def test_refusals__two_different_ones__the_first_stays(
    rig: Rig, aggregator: RunningAggregator, task: RigTask
) -> None:
    operator = rig.operators[0]
    assert (await aggregator.refuse(refusal_of(rig, operator, task, index=3))).status_code == 202
    assert _code(await aggregator.refuse(refusal_of(rig, operator, task, index=4))) == (
        409,
        "conflicting_vote",
    )
    assert [item["leaf_index"] for item in (await aggregator.task(task))["refusals"]] == [3]


@pytest.mark.parametrize("field", ["leaf_index", "leaf", "reason"])
async def test_refusals__evidence_changed_on_the_way__refused(
    rig: Rig, aggregator: RunningAggregator, task: RigTask, field: str
) -> None:
    other = {"leaf_index": 2, "leaf": hex_of(bytes(32)), "reason": "key_mismatch"}[field]
    body = refusal_of(rig, rig.operators[0], task) | {field: other}
    assert _code(await aggregator.refuse(body)) == (400, "invalid_signature")


@pytest.mark.parametrize(
    "change",
    [
        {"batch_root": "0x11"},
        {"batch_root": "zz" * 33},
        {"sender": None},
        {"task_block": -1},
        {"task_block": 2**32},
        {"task_block": "5"},
        {"task_block": True},
        {"signature": "0x" + "00" * 65},
        {"operator_id": 7},
        {"extra": 1},
    ],
)
async def test_signatures__malformed_field__refused(
    rig: Rig, aggregator: RunningAggregator, task: RigTask, change: dict[str, Any]
) -> None:
    body = signature_of(rig, rig.operators[0], task) | change
    assert _code(await aggregator.sign(body)) == (400, "malformed_message")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 5_000, b'{"a":' * 3_000],
    ids=["empty", "open", "list", "null", "no-utf8", "deep-list", "deep-map"],
)
async def test_signatures__garbage__refused(aggregator: RunningAggregator, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await aggregator.http.post("/v1/signatures", content=content, headers=headers)
    assert _code(answer) == (400, "malformed_message")


async def test_signatures__body_without_end__cut_off(aggregator: RunningAggregator) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1024

    answer = await aggregator.http.post("/v1/signatures", content=endless())
    assert _code(answer) == (413, "body_too_large")


async def test_votes__more_than_allowed__rate_limited_for_this_operator_only(rig: Rig, postgres: str) -> None:
    task = rig.create_task(next(_roots).to_bytes(32), "x")
    settings = rig.aggregator_settings(rig.node.new_account(), postgres, vote_burst=2, votes_per_s=0.001)
    async with running_aggregator(settings) as aggregator:
        await aggregator.reaches(task, "open")
        noisy, quiet = rig.operators[:2]
        for _ in range(2):
            await aggregator.sign(signature_of(rig, noisy, task))
        answer = await aggregator.sign(signature_of(rig, noisy, task))
        assert _code(answer) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) > 1
        assert (await aggregator.sign(signature_of(rig, quiet, task))).status_code == 202


async def test_requests__more_than_allowed__rate_limited(rig: Rig, postgres: str) -> None:
    settings = rig.aggregator_settings(
        rig.node.new_account(), postgres, request_burst=3, requests_per_s=0.001
    )
    async with running_aggregator(settings) as aggregator:
        answers = [await aggregator.http.get("/v1/tasks/0x" + "00" * 32) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429]


async def test_health__running__answers(aggregator: RunningAggregator) -> None:
    assert (await aggregator.http.get("/healthz")).json() == {"status": "ok"}

    async def is_ready() -> bool:
        return (await aggregator.http.get("/readyz")).status_code == 200

    await eventually(is_ready, lambda: "/readyz 200")
    assert "aligned_aggregator_build_info" in (await aggregator.http.get("/metrics")).text
    assert _code(await aggregator.http.get("/nothing")) == (404, "http_404")
