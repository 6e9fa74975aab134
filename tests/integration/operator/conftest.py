"""A chain with two operators, and a file server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from aligned.storage.postgres import Database, migrate
from tests.integration.files import FileServer
from tests.integration.rig import Rig, running_rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_rig(tmp_path, operators=2) as chain:
        yield chain


@pytest.fixture
def files() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


@pytest_asyncio.fixture
async def db(postgres: str) -> AsyncIterator[Database]:
    async with Database(postgres) as opened:
        await migrate(opened, "operator")
        yield opened
