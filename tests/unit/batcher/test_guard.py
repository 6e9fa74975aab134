"""Bugs in loops: tried again and visible."""

from __future__ import annotations

import pytest

from aligned.batcher.guard import Guard
from aligned.core.errors import ConflictError, DependencyError, InvariantError


async def test_guard__unexpected_error__retryable_and_not_ready_until_it_works_again() -> None:
    guard = Guard()
    outcomes: list[bool | Exception] = [
        ValueError("a bug"),
        ConflictError("odd", "not meant for a loop"),
        True,
        False,
    ]

    async def step() -> bool:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    guarded = guard.around("post", step)
    for _ in range(2):
        with pytest.raises(DependencyError, match="post"):
            await guarded()
        with pytest.raises(DependencyError):
            guard.check()
    assert await guarded() is True
    guard.check()
    assert await guarded() is False


@pytest.mark.parametrize("error", [DependencyError("chain_unavailable", ""), InvariantError("broken", "")])
async def test_guard__expected_error__passes_as_it_is(error: Exception) -> None:
    async def step() -> bool:
        raise error

    guard = Guard()
    with pytest.raises(type(error)) as caught:
        await guard.around("post", step)()
    assert caught.value is error
    guard.check()
