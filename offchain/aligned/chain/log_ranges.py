"""How many blocks one log query asks for: as many as the nodes answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aligned.chain.errors import WRONG_CHAIN
from aligned.chain.types import LogEntry
from aligned.core.errors import DependencyError
from aligned.watchdog import beat

Query = Callable[[int, int], Awaitable[list[LogEntry]]]


class LogRanges:
    """Reads long ranges piece by piece.

    Providers limit blocks, results, bytes or time of a query, each with words and statuses of its own. So no text is
    looked at: whatever keeps a query over several blocks from being answered, one block is asked for; when that is
    answered, the range was the reason and is halved, and otherwise the node is.

    Args:
        most_blocks: of one query.
    """

    def __init__(self, most_blocks: int) -> None:
        self._most_blocks = most_blocks
        self._blocks = most_blocks

    async def read(self, query: Query, start: int, end: int) -> list[LogEntry]:
        """Logs of both blocks and between.

        Raises:
            DependencyError: a single block was not answered.
        """
        found: list[LogEntry] = []
        while start <= end:
            # Thousands of blocks, few at a time, from a slow node take long; it goes on all the same.
            beat()
            last = min(end, start + self._blocks - 1)
            try:
                found += await query(start, last)
            except DependencyError as error:
                if last == start or error.code == WRONG_CHAIN:
                    raise
                self._blocks = (last - start + 1) // 2
                found += await query(start, start)
                last = start
            else:
                self._grow(last - start + 1)
            start = last + 1
        return found

    def _grow(self, answered: int) -> None:
        """Slowly, because each refusal costs two queries."""
        if answered == self._blocks:
            self._blocks = min(self._most_blocks, self._blocks + max(1, self._blocks // 8))
