"""Ctrl-C ends a devnet at every moment, also while it begins, and what was started is ended."""

from __future__ import annotations

import asyncio
import threading

import pytest

from aligned.cli.devnet import until_stopped
from aligned.core.errors import DependencyError
from aligned.devnet.process import to_its_end


@pytest.mark.asyncio
async def test_until_stopped__stopped_while_it_begins__cancelled_and_cleaned_up() -> None:
    stop, steps = asyncio.Event(), []

    async def work() -> None:
        try:
            stop.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    await until_stopped(work(), stop)
    assert steps == ["cleaned up"]


@pytest.mark.asyncio
async def test_until_stopped__work_fails__its_error() -> None:
    async def work() -> None:
        raise DependencyError("anvil_unavailable", "gone")

    with pytest.raises(DependencyError, match="anvil_unavailable"):
        await until_stopped(work(), asyncio.Event())


@pytest.mark.asyncio
async def test_until_stopped__clean_up_fails_after_the_stop__its_error() -> None:
    stop = asyncio.Event()

    async def work() -> None:
        try:
            stop.set()
            await asyncio.Event().wait()
        finally:
            raise DependencyError("postgres_stays", "does not end")

    with pytest.raises(DependencyError, match="postgres_stays"):
        await until_stopped(work(), stop)


@pytest.mark.asyncio
async def test_to_its_end__cancelled__ends_first() -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def step() -> None:
        begun.set()
        may_end.wait()
        ended.set()

    doing = asyncio.create_task(to_its_end(step))
    await asyncio.to_thread(begun.wait)
    doing.cancel()
    await asyncio.sleep(0)
    assert not doing.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert ended.is_set()
