"""A bound on bytes in work, shared by all connections, of which nobody gets all."""

from __future__ import annotations

import asyncio
from collections import Counter


class ByteBudget:
    """Lets work begin while the bytes in work stay below a bound; a single large piece always may.

    Args:
        limit_bytes: for all together.
        owner_bytes: for one owner (an IP address).
    """

    def __init__(self, limit_bytes: int, owner_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._owner_bytes = owner_bytes
        self._used: Counter[str] = Counter()
        self._waiting: list[asyncio.Future[None]] = []

    async def acquire(self, owner: str, size_bytes: int) -> None:
        """Waits for room and takes it."""
        while self._is_full(owner, size_bytes):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._used[owner] += size_bytes

    def release(self, owner: str, size_bytes: int) -> None:
        """Gives it back."""
        self._used[owner] -= size_bytes
        if not self._used[owner]:
            del self._used[owner]
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
        self._waiting.clear()

    def _is_full(self, owner: str, size_bytes: int) -> bool:
        own_bytes, all_bytes = self._used[owner], self._used.total()
        return bool(own_bytes and own_bytes + size_bytes > self._owner_bytes) or bool(
            all_bytes and all_bytes + size_bytes > self._limit_bytes
        )
