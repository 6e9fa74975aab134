"""A chain with four operators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from aligned.bls_aggregator.ballots import BallotBox
from aligned.bls_aggregator.tasks import TaskStore
from aligned.storage.postgres import Database, migrate
from tests.integration.aggregator.steps import Aggregator
from tests.integration.rig import Rig, running_rig
from tests.integration.votes import RunningAggregator, running_aggregator


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_rig(tmp_path, operators=4) as chain:
        yield chain


@pytest_asyncio.fixture
async def aggregator(rig: Rig, postgres: str) -> AsyncIterator[RunningAggregator]:
    async with running_aggregator(rig.aggregator_settings(rig.node.new_account(), postgres)) as running:
        yield running


@pytest_asyncio.fixture
async def parts(postgres: str) -> AsyncIterator[Aggregator]:
    async with Database(postgres) as db:
        await migrate(db, "aggregator")
        yield Aggregator(db, TaskStore(db), BallotBox(db))
