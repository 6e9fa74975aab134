"""Every step of a submission, cancelled at each of its awaits, and with the world changed after each of them.

Whatever happens: nonce, quota, row and stored proof agree in the end, and nothing is charged twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aligned.core.errors import INVALID_PROOF, VERIFIER_CRASHED, DependencyError
from aligned.gateway.verification import Job
from aligned.storage.aggregation import submissions
from aligned.storage.objects import ObjectStore
from aligned.verifiers.base import Verdict, refused, valid
from tests.integration.gateway.steps import World
from tests.outside.awaits import Run, act_at, at_each_await, cancel_at

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("verdict", "state"),
    [(valid(), "pending"), (refused(INVALID_PROOF, "no"), "rejected")],
    ids=["valid", "bad"],
)
async def test_verdict__cancelled_at_each_await__another_process_finishes_it(
    fresh: Callable[..., Any], verdict: Verdict, state: str
) -> None:
    async def one(number: int) -> Run:
        nonlocal world, job
        world = await fresh(verdict)
        job = await world.reserved()
        return await cancel_at(lambda: world.serve(job), number)

    async def check(_number: int, _run: Run) -> None:
        assert await world.states() in (["verifying"], [state])
        await world.serve(Job(**{name: getattr(job, name) for name in Job.__slots__} | {"attempts": 0}))
        assert await world.states() == [state]
        await world.check_books()

    world: World
    job: Job
    assert await at_each_await(one, check) > 1


async def test_verdict__bad_and_another_process_accepted_it_meanwhile__proof_is_kept(
    fresh: Callable[..., Any],
) -> None:
    async def accept() -> None:
        async with world.db.transaction() as conn:
            await submissions.accept(conn, job.id)

    async def one(number: int) -> Run:
        nonlocal world, job
        world = await fresh(refused(INVALID_PROOF, "late"))
        job = await world.reserved()
        return await act_at(lambda: world.serve(job), number, accept)

    async def check(_number: int, _run: Run) -> None:
        assert await world.states() in (["pending"], ["rejected"])
        await world.check_books()

    world: World
    job: Job
    assert await at_each_await(one, check) > 1
    world = await fresh(refused(INVALID_PROOF, "late"))
    job = await world.reserved()
    await accept()
    await world.serve(job)
    assert await world.states() == ["pending"], "a late refusal changes nothing"
    await world.check_books()


async def test_verdict__valid_and_payment_orphaned_after_each_await__never_pending_unpaid(
    fresh: Callable[..., Any],
) -> None:
    async def one(number: int) -> Run:
        nonlocal world
        world = await fresh()
        job = await world.reserved()
        return await act_at(lambda: world.serve(job), number, world.orphan)

    async def check(_number: int, run: Run) -> None:
        expected = (["pending"], ["unpaid"]) if not run.blocked else (["pending"],)
        assert await world.states() in expected
        await world.check_books()

    world: World
    assert await at_each_await(one, check) > 1
    world = await fresh()
    job = await world.reserved()
    await world.orphan()
    await world.serve(job)
    assert await world.states() == ["unpaid"]


async def test_verdict__verifier_crashes_and_is_asked_again__one_attempt(fresh: Callable[..., Any]) -> None:
    world = await fresh(refused(VERIFIER_CRASHED, "gone"), valid())
    job = await world.reserved()
    again = Job(**{name: getattr(job, name) for name in Job.__slots__} | {"attempts": 0, "path": None})
    with pytest.MonkeyPatch.context() as patch:
        counted: list[int] = []

        async def settle(_job: Job, _verdict: Verdict) -> None:
            counted.append(await world.attempts(job))

        patch.setattr(world.verification, "_settle", settle)
        await world.serve(again)
    assert counted == [1]


async def test_verdict__store_does_not_delete__proof_goes_later(
    fresh: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await fresh(refused(INVALID_PROOF, "no"))
    job = await world.reserved()
    with monkeypatch.context() as patch:

        async def down(*_: object) -> None:
            raise DependencyError("store_unavailable", "down")

        patch.setattr(ObjectStore, "delete", down)
        await world.serve(job)
    assert await world.states() == ["rejected"]
    await world.check_books()


async def test_take_over__cancelled_at_each_await__rows_are_taken_over_later(
    fresh: Callable[..., Any],
) -> None:
    async def one(number: int) -> Run:
        nonlocal world, job
        world = await fresh()
        job = await world.reserved()
        await world._run("UPDATE proofs SET leased_until = 'epoch' WHERE id = %s", job.id)
        return await cancel_at(world.verification._take_over, number)

    async def check(_number: int, _run: Run) -> None:
        assert await world.states() == ["verifying"]
        assert await world.attempts(job) == 0
        await world._run("UPDATE proofs SET leased_until = 'epoch' WHERE id = %s", job.id)
        world.verification._working.clear()
        await world.verification._take_over()
        assert job.id in world.verification._working
        await world.serve(job)
        assert await world.states() == ["pending"]
        await world.check_books()

    world: World
    job: Job
    assert await at_each_await(one, check) > 1
