"""How long the batch on its way has been so: it says when receipts could not be kept any more."""

from __future__ import annotations

import time
from collections.abc import Callable

from aligned.batcher.batches import Batch
from aligned.core.errors import POSTING_STUCK, DependencyError


class PostingWatch:
    """Knows the oldest batch that is not on chain yet.

    Args:
        max_age_s: age above which the batcher is not ready, and takes no more proofs.
        clock: monotonic seconds.
    """

    def __init__(self, max_age_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_age_s = max_age_s
        self._clock = clock
        self._since_s: float | None = None

    def see(self, batch: Batch | None) -> None:
        """The batch on its way, as the poster finds it before each step."""
        if batch is None:
            self._since_s = None
        elif batch.task_block is None:
            self._since_s = self._clock() - batch.age_s
        else:
            # It left the chain: its own age says nothing about the way there.
            self._since_s = self._clock() if self._since_s is None else self._since_s

    @property
    def age_s(self) -> float:
        """Seconds since the batch on its way was built, 0 without one."""
        return 0.0 if self._since_s is None else max(0.0, self._clock() - self._since_s)

    def check(self) -> None:
        """Says whether batches reach the chain.

        Raises:
            DependencyError: posting_stuck.
        """
        if self.age_s > self._max_age_s:
            text = (
                f"a batch waits for {self.age_s:.0f} s to be posted, at most {self._max_age_s:g} s is normal"
            )
            raise DependencyError(POSTING_STUCK, f"{text}; no proofs are taken until it is; try again later")
