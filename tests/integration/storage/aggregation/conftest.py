"""A database with the schema of aggregation mode."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from aligned.storage.postgres import Database, migrate


@pytest_asyncio.fixture
async def db(postgres: str) -> AsyncIterator[Database]:
    async with Database(postgres) as opened:
        await migrate(opened, "aggregation")
        yield opened
