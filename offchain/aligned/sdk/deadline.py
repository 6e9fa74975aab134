"""Waiting with an end."""

from __future__ import annotations

import asyncio
import time

from aligned.core.errors import TIMEOUT, DependencyError

_FIRST_POLL_S = 0.2
_LAST_POLL_S = 3.0
_GROWTH = 1.3


class Deadline:
    """Pauses that grow, and an error when the time is over."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s
        self._pause_s = _FIRST_POLL_S

    @property
    def left_s(self) -> float:
        """Seconds to the end, not below 0."""
        return max(0.0, self._end - time.monotonic())

    async def pause(self, what: str, at_least_s: float = 0) -> None:
        """Sleeps a little, for `at_least_s` if the other side asked for that.

        Raises:
            DependencyError: timeout, with `what` it was waiting for.
        """
        left = self.left_s
        if left == 0:
            raise DependencyError(TIMEOUT, f"after {self._timeout_s:.0f} s: {what}")
        await asyncio.sleep(min(max(self._pause_s, at_least_s), left))
        self._pause_s = min(self._pause_s * _GROWTH, _LAST_POLL_S)
