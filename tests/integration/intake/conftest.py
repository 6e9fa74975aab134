"""A chain with the fast mode's contracts, a file server, a database and a store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database, migrate
from tests.integration.files import FileServer
from tests.integration.intake.harness import QUICK, Bed
from tests.integration.rig import running_rig


@pytest_asyncio.fixture
async def bed(tmp_path: Path, postgres: str) -> AsyncIterator[Bed]:
    with running_rig(tmp_path, operators=0) as rig, FileServer() as files:
        async with Database(postgres) as db:
            await migrate(db, "aggregation")
            store = ObjectStore.from_url(str(tmp_path / "store"), "http://127.0.0.1:1")
            yield Bed(rig, files, db, store, rig.settings(postgres, intake=QUICK))
