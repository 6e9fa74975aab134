"""Tasks made to break an operator: each may fail by itself, none may stop or hold up the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from aligned.core.errors import VERIFIER_CRASHED, VERIFIER_TIMEOUT
from aligned.core.types import VerificationData
from aligned.devnet.process import free_port
from aligned.verifiers.base import Verdict, refused, valid
from tests.integration.files import FileServer, stream
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

GOOD = proofs(b"one")
POISON = proofs(b"poison")
MIB = 1024 * 1024


@dataclass
class Failing(StubVerifier):
    """Does `outcome` for the first `times` looks at the poison, and accepts everything else."""

    outcome: Any = None
    times: int = 10**9

    async def verify(self, data: VerificationData) -> Verdict:
        if data.proof != POISON[0].proof:
            return valid()
        self.seen.append(data.proof)
        if len(self.seen) > self.times:
            return valid()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return refused(self.outcome, "busy machine")


@pytest.mark.parametrize("pointer", ["http://xn--a/", "http://xn--/", "http://xn--a/,http://xn--b/"])
async def test_operator__pointer_with_malformed_punycode__others_go_on(
    rig: Rig, files: FileServer, postgres: str, pointer: str
) -> None:
    operator = rig.operators[0]
    poison = rig.create_task(b"\x44" * 32, pointer)
    good = rig.create_task(root_of(GOOD), files.put("/good", file_of(GOOD)))
    settings = rig.operator_settings(operator, postgres, task_workers=1, download_workers=1)
    async with running_operator(
        rig, operator, settings, StubVerifier(), StubAggregator().transport()
    ) as running:
        assert (await running.reaches(good, "reported"))["reason"] is None
        assert (await running.reaches(poison, "failed"))["last_code"] == "invalid_url"


async def test_operator__one_task_raises_the_unexpected__it_alone_fails_until_it_passes(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator, verifier = rig.operators[0], Failing(outcome=RecursionError("deep"), times=3)
    poison = rig.create_task(root_of(POISON), files.put("/poison", file_of(POISON)))
    good = rig.create_task(root_of(GOOD), files.put("/good", file_of(GOOD)))
    settings = rig.operator_settings(operator, postgres, task_workers=1, retry_s=0.5)
    async with running_operator(rig, operator, settings, verifier, StubAggregator().transport()) as running:
        assert (await running.reaches(poison, "failed"))["last_code"] == "internal_error"
        assert (await running.reaches(good, "reported"))["reason"] is None
        assert (await running.reaches(poison, "reported"))["reason"] is None


async def test_operator__machine_kills_the_verifier_for_a_while__signs_later(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator, verifier = rig.operators[0], Failing(outcome=VERIFIER_CRASHED, times=5)
    task = rig.create_task(root_of(POISON), files.put("/b", file_of(POISON)))
    settings = rig.operator_settings(operator, postgres)
    async with running_operator(rig, operator, settings, verifier, StubAggregator().transport()) as running:
        assert (await running.reaches(task, "failed"))["last_code"] == VERIFIER_CRASHED
        assert (await running.reaches(task, "reported"))["reason"] is None


async def test_operator__verdict_in_doubt_until_the_last_chance__refuses_then(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator, verifier = rig.operators[0], Failing(outcome=VERIFIER_TIMEOUT)
    task = rig.create_task(root_of(POISON), files.put("/b", file_of(POISON)))
    settings = rig.operator_settings(operator, postgres)
    async with running_operator(rig, operator, settings, verifier, StubAggregator().transport()) as running:
        assert (await running.reaches(task, "failed"))["last_code"] == VERIFIER_TIMEOUT
        rig.node.mine(291)
        row = await running.reaches(task, "reported")
        assert (row["reason"], row["leaf_index"]) == (VERIFIER_TIMEOUT, 0)


async def test_operator__trickling_pointers_of_one_sender__another_senders_batch_is_signed_meanwhile(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator, attacker = rig.operators[0], rig.node.new_account()
    pointers = [files.on(f"/slow{i}", stream(MIB, chunk=b"\0", pause_s=0.05)) for i in range(6)]
    slow = [rig.create_task(bytes([i + 1]) * 32, pointer, attacker) for i, pointer in enumerate(pointers)]
    good = rig.create_task(root_of(GOOD), files.put("/good", file_of(GOOD)))
    settings = rig.operator_settings(
        operator, postgres, task_workers=1, download_workers=3, download_timeout_s=3_600.0,
        download_min_bytes_per_s=0,
    )  # fmt: skip
    async with running_operator(
        rig, operator, settings, StubVerifier(), StubAggregator().transport()
    ) as running:
        assert (await running.reaches(good, "reported"))["reason"] is None
        started = [path for path in files.hits if path.startswith("/slow")]
        assert len(started) <= 2
        assert {(await running.row(task))["state"] for task in slow} == {"seen"}


async def test_operator__all_verify_slots_taken__downloads_go_on(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator, verifier = rig.operators[0], StubVerifier(held=lambda proof: True)
    pointers = {f"/{i}": proofs(b"%d" % i) for i in range(3)}
    tasks = [
        rig.create_task(root_of(batch), files.put(path, file_of(batch))) for path, batch in pointers.items()
    ]
    settings = rig.operator_settings(operator, postgres, task_workers=1, download_workers=2)
    async with running_operator(rig, operator, settings, verifier, StubAggregator().transport()) as running:

        async def all_downloaded() -> bool:
            return set(files.hits) == set(pointers)

        await eventually(all_downloaded, lambda: "all downloads")
        assert len(verifier.seen) == 1
        verifier.gate.set()
        for task in tasks:
            assert (await running.reaches(task, "reported"))["reason"] is None


async def test_operator__cursor_stuck__is_not_ready(rig: Rig, postgres: str) -> None:
    operator, port = rig.operators[0], free_port()
    settings = rig.operator_settings(operator, postgres, port=port)
    settings = settings.model_copy(
        update={"chain": settings.chain.model_copy(update={"max_lag_s": 0.5, "poll_s": 3_600.0})}
    )
    async with (
        running_operator(rig, operator, settings, StubVerifier(), StubAggregator().transport()),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):

        async def is_stuck() -> bool:
            try:
                answer = await http.get("/readyz")
            except httpx.HTTPError:
                return False
            return (answer.status_code, answer.json().get("code")) == (503, "cursor_stuck")

        await eventually(is_stuck, lambda: "/readyz 503")


async def test_operator__aggregator_answers_with_bottomless_json__report_is_tried_again(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    operator = rig.operators[0]
    aggregator = StubAggregator(answers=[httpx.Response(400, content=b"[" * 200_000)])
    task = rig.create_task(root_of(GOOD), files.put("/good", file_of(GOOD)))
    settings = rig.operator_settings(operator, postgres)
    async with running_operator(rig, operator, settings, StubVerifier(), aggregator.transport()) as running:
        assert (await running.reaches(task, "reported"))["last_code"] == "accepted"
    assert len(aggregator.received) == 2
