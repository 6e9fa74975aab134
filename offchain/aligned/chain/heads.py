"""Which of several nodes is up to date: heads against the clock and against each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Nodes hear of a block at different moments; further behind is behind.
_MAX_LAG_BLOCKS = 3
# A head of the future proves nothing about those of others.
_MAX_AHEAD_S = 60.0


@dataclass(frozen=True, slots=True)
class Head:
    """A node's newest block when it was last asked."""

    number: int
    timestamp: int

    def age_s(self, now_s: float) -> float:
        """How long ago the block was made by the clock of this machine."""
        return max(0.0, now_s - self.timestamp)


@dataclass(frozen=True, slots=True)
class HeadRules:
    """How old a head may be; None on chains that mine on demand."""

    max_age_s: float | None
    clock: Callable[[], float] = time.time

    def is_fresh(self, head: Head) -> bool:
        """Whether the head is young enough."""
        return self.max_age_s is None or head.age_s(self.clock()) <= self.max_age_s

    def outdated(self, heads: Sequence[Head | None]) -> list[bool]:
        """For each node whether others should be asked first: its head is old, or behind that of another.

        Blocks ahead count only together with a later time, and not with one of the future.
        """
        limit_s = self.clock() + _MAX_AHEAD_S
        known = [head for head in heads if head is not None and head.timestamp <= limit_s]
        return [head is not None and not self._holds(head, known) for head in heads]

    def _holds(self, head: Head, known: list[Head]) -> bool:
        if not self.is_fresh(head):
            return False
        return not any(
            other.number > head.number + _MAX_LAG_BLOCKS and other.timestamp > head.timestamp
            for other in known
        )
