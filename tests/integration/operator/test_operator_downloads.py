"""Pointers are written by strangers: what they may not make an operator do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.files import FileServer, announce, redirect_to, stream
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
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("answer", "code"),
    [(announce(2**30), "batch_too_large"), (stream(4 * MIB), "batch_too_large")],
    ids=["announced", "streamed"],
)
async def test_operator__file_too_large__refused_without_verifying(
    rig: Rig, files: FileServer, postgres: str, answer: Any, code: str
) -> None:
    operator, verifier = rig.operators[0], StubVerifier()
    task = rig.create_task(root_of(BATCH), files.on("/large", answer))
    settings = rig.operator_settings(operator, postgres, max_batch_bytes=MIB)
    async with running_operator(rig, operator, settings, verifier, StubAggregator().transport()) as running:
        assert (await running.reaches(task, "reported"))["reason"] == code
    assert verifier.seen == []


async def _fails_then_is_refused(rig: Rig, pointer: str, postgres: str, code: str, **own: Any) -> None:
    """The download is tried again until shortly before the window ends; then the batch is refused."""
    operator = rig.operators[0]
    task = rig.create_task(root_of(BATCH), pointer)
    settings = rig.operator_settings(operator, postgres, **own)
    async with running_operator(
        rig, operator, settings, StubVerifier(), StubAggregator().transport()
    ) as running:
        assert (await running.reaches(task, "failed"))["last_code"] == code

        async def tried_again() -> bool:
            return bool((await running.row(task))["attempts"] > 1)

        await eventually(tried_again, lambda: "another attempt")
        rig.node.mine(291)
        assert (await running.reaches(task, "reported"))["reason"] == "data_unavailable"


async def test_operator__private_address__not_asked(rig: Rig, files: FileServer, postgres: str) -> None:
    pointer = files.put("/private", file_of(BATCH))
    await _fails_then_is_refused(rig, pointer, postgres, "private_address", allow_private_hosts=False)
    assert "/private" not in files.hits


async def test_operator__redirect_to_a_private_address__not_followed(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    inside = files.put("/inside", file_of(BATCH))
    await _fails_then_is_refused(
        rig, files.on("/redirect", redirect_to(inside)), postgres, "redirect_refused"
    )
    assert "/inside" not in files.hits


async def test_operator__trickling_server__cut_off(rig: Rig, files: FileServer, postgres: str) -> None:
    pointer = files.on("/slow", stream(MIB, chunk=b"\0", pause_s=0.05))
    await _fails_then_is_refused(rig, pointer, postgres, "download_timeout", download_timeout_s=0.3)


@pytest.mark.parametrize("pointer", ["ftp://127.0.0.1/x", "file:///etc/passwd", "\0", "http://[::1", ","])
async def test_operator__pointer_is_no_url__others_go_on(
    rig: Rig, files: FileServer, postgres: str, pointer: str
) -> None:
    operator = rig.operators[0]
    poison = rig.create_task(b"\x44" * 32, pointer)
    good = rig.create_task(root_of(BATCH), files.put("/good", file_of(BATCH)))
    settings = rig.operator_settings(operator, postgres)
    async with running_operator(
        rig, operator, settings, StubVerifier(), StubAggregator().transport()
    ) as running:
        assert (await running.reaches(good, "reported"))["reason"] is None
        assert (await running.reaches(poison, "failed"))["last_code"] == "invalid_url"


async def test_operator__pointer_is_no_text__others_go_on(rig: Rig, files: FileServer, postgres: str) -> None:
    operator = rig.operators[0]
    account = rig.node.new_account()
    rig.create_task_with_raw_pointer(b"\x44" * 32, b"\xff\xfe\x80", account)
    good = rig.create_task(root_of(BATCH), files.put("/good", file_of(BATCH)))
    settings = rig.operator_settings(operator, postgres)
    async with running_operator(
        rig, operator, settings, StubVerifier(), StubAggregator().transport()
    ) as running:
        assert (await running.reaches(good, "reported"))["reason"] is None
