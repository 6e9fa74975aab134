"""Every step of a submission, cancelled at each of its awaits, and with the world changed after each of them.

Whatever happens: nonce, quota, row and stored proof agree in the end, and nothing is charged twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aligned.core.errors import AlignedError
from aligned.gateway.admission import Reserved
from tests.integration.gateway.steps import OTHER, World
from tests.integration.gateway.submitter import risc0
from tests.outside.awaits import Run, act_at, at_each_await, cancel_at
from tests.outside.statements import watched_statements

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_reserve__cancelled_at_each_await__all_or_nothing(fresh: Callable[..., Any]) -> None:
    async def one(number: int) -> Run:
        nonlocal world
        world = await fresh()
        upload = await world.admitted(OTHER)
        return await cancel_at(lambda: world.reserve(*upload), number)

    async def check(_number: int, run: Run) -> None:
        assert run.error is None
        assert await world.states() in ([], ["verifying"])
        await world.check_books()

    world: World
    assert await at_each_await(one, check) > 1


async def test_reserve__payment_orphaned_after_each_await__not_charged_for_it(
    fresh: Callable[..., Any],
) -> None:
    async def one(number: int) -> Run:
        nonlocal world
        world = await fresh()
        upload = await world.admitted(OTHER)
        return await act_at(lambda: world.reserve(*upload), number, world.orphan)

    async def check(_number: int, run: Run) -> None:
        if run.error is not None:
            assert isinstance(run.error, AlignedError)
            assert run.error.code == "payment_required"
            assert await world.states() == []
        await world.check_books()

    world: World
    assert await at_each_await(one, check) > 1


async def test_reserve__payment_orphaned_just_before_it_is_charged__refused(
    fresh: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await fresh()
    upload = await world.admitted(OTHER)
    with watched_statements(monkeypatch) as statements:
        statements.before("WITH chosen", 1, world.orphan)
        with pytest.raises(AlignedError, match="payment_required"):
            await world.reserve(*upload)
    assert await world.states() == []
    await world.check_books()


async def test_reserve__nonce_taken_by_another_after_each_await__one_row(fresh: Callable[..., Any]) -> None:
    async def one(number: int) -> Run:
        nonlocal world
        world = await fresh()
        upload, faster = await world.admitted(OTHER), await world.admitted(risc0())
        return await act_at(lambda: world.reserve(*upload), number, lambda: world.reserve(*faster))

    async def check(_number: int, run: Run) -> None:
        assert await world.states() == ["verifying"]
        assert run.error is None or getattr(run.error, "code", "") == "nonce_used"
        await world.check_books()

    world: World
    assert await at_each_await(one, check) > 1


async def test_reserve__same_proof_by_another_gateway_after_each_await__one_row_and_one_charge(
    fresh: Callable[..., Any],
) -> None:
    async def one(number: int) -> Run:
        nonlocal world
        world = await fresh()
        upload, faster = await world.admitted(OTHER), await world.admitted(OTHER)
        return await act_at(lambda: world.reserve(*upload), number, lambda: world.reserve(*faster))

    async def check(_number: int, run: Run) -> None:
        assert run.error is None
        assert isinstance(run.result, Reserved)
        assert await world.states() == ["verifying"]
        await world.check_books()

    world: World
    assert await at_each_await(one, check) > 1
