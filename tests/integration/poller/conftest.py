"""A chain with the payment service, and a database that pollers share with their readers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from aligned.settings import Settings
from aligned.storage.postgres import Database, migrate
from tests.integration.poller.harness import Payments
from tests.integration.rig import Rig, running_rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_rig(tmp_path, operators=0) as chain:
        yield chain


@pytest.fixture
def settings(rig: Rig, postgres: str) -> Settings:
    return rig.settings(postgres)


@pytest_asyncio.fixture
async def payments(rig: Rig, postgres: str) -> AsyncIterator[Payments]:
    async with Database(postgres) as db:
        await migrate(db, "aggregation")
        yield Payments(rig, db)
