"""A value that is read anew when it is old, once for all who ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Keeps what `read` gave for `max_age_s`; a failure is not kept."""

    def __init__(self, read: Callable[[], Awaitable[T]], max_age_s: float) -> None:
        self._read = read
        self._max_age_s = max_age_s
        self._lock = asyncio.Lock()
        self._kept: tuple[float, T] | None = None

    async def get(self) -> T:
        """The value. Raises what `read` raises."""
        async with self._lock:
            now = time.monotonic()
            if self._kept is None or now - self._kept[0] > self._max_age_s:
                self._kept = (now, await self._read())
            return self._kept[1]
