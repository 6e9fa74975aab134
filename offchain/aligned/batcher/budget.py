"""A bound on bytes in work, shared by all connections."""

from __future__ import annotations

import asyncio


class ByteBudget:
    """Lets work begin while the bytes in work stay below a bound; a single large piece always may."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._waiting: list[asyncio.Future[None]] = []

    async def acquire(self, size_bytes: int) -> None:
        """Waits for room and takes it."""
        while self._used_bytes and self._used_bytes + size_bytes > self._limit_bytes:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._used_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        """Gives it back."""
        self._used_bytes -= size_bytes
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
        self._waiting.clear()
