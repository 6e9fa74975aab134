"""A chain with four operators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

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
