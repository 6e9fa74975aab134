"""A bounded queue that serves its lanes in turn, so that nobody's burst delays everybody else."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """First in, first out within a lane; round robin between lanes."""

    def __init__(self, max_items: int) -> None:
        self._lanes: OrderedDict[object, deque[T]] = OrderedDict()
        self._max_items = max_items
        self._size = 0
        self._available = asyncio.Semaphore(0)

    def __len__(self) -> int:
        return self._size

    def put(self, lane: object, item: T) -> bool:
        """Appends to a lane; False when the queue is full."""
        if self._size >= self._max_items:
            return False
        self._lanes.setdefault(lane, deque()).append(item)
        self._size += 1
        self._available.release()
        return True

    async def get(self) -> T:
        """The next item of the lane whose turn it is."""
        await self._available.acquire()
        lane, items = self._lanes.popitem(last=False)
        item = items.popleft()
        if items:
            self._lanes[lane] = items
        self._size -= 1
        return item
