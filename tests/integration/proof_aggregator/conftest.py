"""A chain for each module, a database and an aggregator for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aligned.storage.postgres import Database, migrate
from tests.integration.proof_aggregator.harness import AggregationRig, Parts, aggregation_rig, make_parts

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
