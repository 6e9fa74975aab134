"""Every step of a submission, cancelled at each of its awaits, and with the world changed after each of them.

Whatever happens: nonce, quota, row and stored proof agree in the end, and nothing is charged twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from aligned.core.errors import INVALID_PROOF, AlignedError
from aligned.verifiers.base import refused, valid
from tests.integration.gateway.steps import OTHER, World, numbers
from tests.integration.gateway.submitter import risc0, submitter
from tests.outside.awaits import Run, at_each_await, cancel_at

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _request(form: dict[str, Any]) -> Request:
    """A request whose body comes in pieces of 64 KiB."""
    sent = httpx.Request("POST", "http://gateway/v1/proofs", **form)
    body = sent.read()
    pieces = iter([body[start : start + 65_536] for start in range(0, len(body), 65_536)])

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        piece = next(pieces, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    headers = [(name.lower().encode(), value.encode()) for name, value in sent.headers.items()]
    scope = {"type": "http", "method": "POST", "headers": headers, "client": ("203.0.113.5", 1)}
    return Request(scope, receive)


async def test_submit__client_gone_at_each_await__what_was_stored_has_its_verdict(
    fresh: Callable[..., Any],
) -> None:
    async def one(number: int) -> Run:
        nonlocal world
        world = await fresh()
        request = _request(world.user.form(OTHER, 0))
        return await cancel_at(lambda: world.gateway._submissions.submit(request), number)

    async def check(_number: int, run: Run) -> None:
        assert run.error is None
        if following := world.gateway._submissions._following:
            await asyncio.wait(following)
        assert await world.states() in ([], ["pending"])
        await world.check_books()
        gate = world.gateway._gate
        assert (gate.arrivals.total, gate.uploads.total, gate.upload_bytes.total) == (0, 0, 0)
        seen.extend(await world.states())

    world: World = await fresh()
    seen: list[str] = []
    stop = asyncio.Event()
    workers = [asyncio.create_task(each) for each in world.verification.loops(stop)]
    try:
        assert await at_each_await(one, check) > 5
        assert seen.count("pending") > 1, "also where the client went before it had its answer"
        assert not any(worker.done() for worker in workers)
    finally:
        stop.set()
        await asyncio.gather(*workers)


async def test_counters__over_mixed_failures__are_what_happened(fresh: Callable[..., Any]) -> None:
    world = await fresh(valid(), refused(INVALID_PROOF, "no"), valid())
    stranger, submit = submitter(next(numbers)), world.gateway._submissions.submit
    forms = [
        world.user.form(risc0(), 0),
        world.user.form(OTHER, 1),
        world.user.form(risc0(), 7),
        world.user.form(OTHER, 1),
        world.user.form(OTHER, 2, deadline_s=1),
        stranger.form(OTHER, 0),
        world.user.form(OTHER, 2),
    ]
    stop = asyncio.Event()
    workers = [asyncio.create_task(each) for each in world.verification.loops(stop)]
    before = _counts(world)
    try:
        for form in forms:
            with suppress(AlignedError):
                await submit(_request(form))
    finally:
        stop.set()
        await asyncio.gather(*workers)
    assert _counts(world) - before == Counter(
        {
            "accepted_total:risc0": 2,
            "repeated_total:": 1,
            "refused_total:invalid_proof": 1,
            "refused_total:nonce_used": 1,
            "refused_total:expired_deadline": 1,
            "refused_total:payment_required": 1,
        }
    )
    await world.check_books()


def _counts(world: World) -> Counter[str]:
    """The counters of submissions, by name and label."""
    prefix = f"{world.gateway._metrics.prefix}_"
    names = [f"{prefix}{name}_total" for name in ("accepted", "repeated", "refused")]
    return Counter(
        {
            f"{sample.name.removeprefix(prefix)}:{''.join(sample.labels.values())}": int(sample.value)
            for metric in world.gateway._metrics.registry.collect()
            for sample in metric.samples
            if sample.name in names
        }
    )
