"""Work under a lease."""

from __future__ import annotations

import asyncio

import pytest

from aligned.core.errors import ConflictError, DependencyError
from aligned.proof_aggregator.held import renewing


async def test_renewing__lease_lost__work_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def renew() -> None:
        raise ConflictError("lease_lost", "taken over")

    with pytest.raises(ConflictError):
        await renewing(work(), renew, 0.001)
    assert cancelled.is_set()


async def test_renewing__database_away_for_a_while__work_goes_on() -> None:
    renewals = 0
    enough = asyncio.Event()

    async def renew() -> None:
        nonlocal renewals
        renewals += 1
        if renewals == 3:
            enough.set()
        raise DependencyError("database_unavailable", "down")

    async def work() -> str:
        await enough.wait()
        return "done"

    assert await renewing(work(), renew, 0.001) == "done"


async def test_renewing__work_fails__its_error_passes() -> None:
    async def work() -> None:
        raise ValueError("mine")

    async def renew() -> None:
        raise AssertionError("not asked for")

    with pytest.raises(ValueError, match="mine"):
        await renewing(work(), renew, 60)
