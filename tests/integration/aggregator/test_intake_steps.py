"""The intake of votes, while tasks end or it is cancelled between two awaits; and how many may wait."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from aligned.bls_aggregator.ballots import BallotBox
from aligned.bls_aggregator.intake import Domain, Intake
from aligned.core.errors import ConflictError, ProtocolError
from aligned.wire.aggregator import SignatureMessage
from tests.integration.aggregator.steps import (
    BLOCK,
    CHAIN_ID,
    DIGEST,
    KEYS,
    MANAGER,
    ROOT,
    SENDER,
    Aggregator,
)
from tests.integration.votes import eventually
from tests.outside.awaits import Run, act_at, at_each_await, cancel_at


def _message(number: int, **changes: Any) -> SignatureMessage:
    key = KEYS[number]
    fields = {
        "batch_root": ROOT,
        "sender": SENDER,
        "task_block": BLOCK,
        "operator_id": key.operator_id(),
        "signature": key.sign(DIGEST),
    }
    return SignatureMessage.model_validate(fields | changes)


def _intake(box: BallotBox, wait_s: float = 1.0) -> Intake:
    return Intake(box, Domain(CHAIN_ID, MANAGER), wait_s)


async def _until_waiting(intake: Intake, votes: int) -> None:
    async def there() -> bool:
        return intake._waiting == votes

    await eventually(there, lambda: f"{votes} votes that wait")


async def test_intake__cancelled_at_each_await__vote_counts_once_and_the_intake_works_on(
    parts: Aggregator,
) -> None:
    intake = _intake(parts.box)

    async def one(number: int) -> Run:
        await parts.open()
        return await cancel_at(lambda: intake.accept(_message(0)), number)

    async def check(number: int, run: Run) -> None:
        assert await intake.accept(_message(0)) in {"accepted", "already_signed"}, f"await {number}"
        assert set((await parts.tally()).signatures) == {KEYS[0].operator_id()}
        assert intake._waiting == 0
        assert not intake._checks.locked()

    assert await at_each_await(one, check) > 5


async def test_intake__task_ends_at_each_await__vote_is_stored_or_refused_never_both(
    parts: Aggregator,
) -> None:
    async def one(number: int) -> Run:
        await parts.open()
        step = lambda: _intake(parts.box).accept(_message(0))  # noqa: E731
        return await act_at(step, number, parts.answered_on_chain)

    async def check(number: int, run: Run) -> None:
        stored = bool((await parts.tally()).signatures)
        assert stored == (run.result == "accepted"), f"await {number}: {run}"
        assert run.error is None or isinstance(run.error, ConflictError), f"await {number}: {run}"

    assert await at_each_await(one, check) > 5


async def test_intake__waits_for_a_task_and_is_cancelled__its_place_is_free_again(
    parts: Aggregator,
) -> None:
    intake = _intake(parts.box, 60.0)
    waiting = asyncio.create_task(intake.accept(_message(0)))
    await _until_waiting(intake, 1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert intake._waiting == 0


class NoTasks:
    """A ballot box that has seen no task."""

    async def find(self, *_key: object) -> None:
        return None

    async def other_block(self, *_key: object) -> None:
        return None


async def test_intake__as_many_wait_as_may__the_next_vote_is_refused_at_once() -> None:
    """Votes for tasks that nobody has seen are anybody's: they must not pile up."""
    intake = _intake(cast(BallotBox, NoTasks()), 3_600.0)
    roots = [number.to_bytes(32, "big") for number in range(128)]
    waiting = [asyncio.create_task(intake.accept(_message(0, batch_root=root))) for root in roots]
    await _until_waiting(intake, 128)
    with pytest.raises(ProtocolError) as caught:
        await asyncio.wait_for(intake.accept(_message(0, batch_root=b"\xff" * 32)), 60)
    assert (caught.value.code, caught.value.context["retry_after_s"]) == ("unknown_task", 1)
    assert intake._waiting == 128
    for task in waiting:
        task.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError)
        for end in await asyncio.gather(*waiting, return_exceptions=True)
    )
    assert intake._waiting == 0
