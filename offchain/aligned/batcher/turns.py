"""At most so many at a time under one key; the others wait in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class _Lane:
    free: asyncio.Semaphore
    users: int = 0


class Turns:
    """Semaphores by key, kept while somebody uses them."""

    def __init__(self) -> None:
        self._lanes: dict[Hashable, _Lane] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    @asynccontextmanager
    async def take(self, key: Hashable, limit: int) -> AsyncIterator[None]:
        """Waits until fewer than `limit` blocks run under `key`; whoever comes first sets the limit."""
        lane = self._lanes.setdefault(key, _Lane(asyncio.Semaphore(limit)))
        lane.users += 1
        try:
            async with lane.free:
                yield
        finally:
            lane.users -= 1
            if not lane.users:
                del self._lanes[key]
