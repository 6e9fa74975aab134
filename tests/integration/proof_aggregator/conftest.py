"""A chain for each module, a database and an aggregator for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aligned.proof_aggregator import chunk_prover, final_prover, publisher
from aligned.storage.postgres import Database, migrate
from tests.integration.proof_aggregator.harness import AggregationRig, Parts, aggregation_rig, make_parts
from tests.outside import awaits

MakeParts = Callable[..., Parts]


@pytest.fixture(scope="module")
def shared_rig() -> Iterator[AggregationRig]:
    with aggregation_rig() as rig:
        yield rig


@pytest.fixture
def own_rig() -> Iterator[AggregationRig]:
    """A chain for one test, which turns it back."""
    with aggregation_rig() as rig:
        yield rig


@pytest_asyncio.fixture
async def queue_db(postgres: str) -> AsyncIterator[Database]:
    async with Database(postgres) as db:
        await migrate(db, "aggregation")
        yield db


@pytest_asyncio.fixture
async def make(queue_db: Database, tmp_path: Path) -> AsyncIterator[MakeParts]:
    """Aggregators over one database."""
    made: list[Parts] = []

    def build(rig: AggregationRig, **options: Any) -> Parts:
        made.append(make_parts(rig, queue_db, tmp_path, **options))
        return made[-1]

    yield build
    for parts in made:
        await parts.close()


@pytest.fixture
def parts(shared_rig: AggregationRig, make: MakeParts) -> Parts:
    return make(shared_rig)


@pytest.fixture
def work_in_the_step_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the awaits of a step's own task are seen, so that its work must not be in another one."""

    async def plainly(
        _db: object, _table: str, _lease: object, _lease_s: float, work: Awaitable[object]
    ) -> object:
        return await work

    for module in (chunk_prover, final_prover, publisher):
        monkeypatch.setattr(module, "held", plainly)


@pytest.fixture
def slow_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    """An action that sends transactions takes its time; nothing that it needs is locked by the step."""
    monkeypatch.setattr(awaits, "_ACTION_TIMEOUT_S", 60.0)
    monkeypatch.setattr(awaits, "_STEP_TIMEOUT_S", 180.0)
