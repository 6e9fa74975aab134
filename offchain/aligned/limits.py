"""How often somebody may ask: token buckets, bounded in number."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


class RateLimiter:
    """One token bucket a key; the longest unused buckets are forgotten.

    Args:
        per_second: refill.
        burst: most tokens of a bucket.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        per_second: float,
        burst: float,
        max_keys: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._max_keys = max_keys
        self._clock = clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable) -> float:
        """Takes a token: 0.0 when there was one, else the seconds until there is one."""
        tokens, now = self._tokens(key)
        granted = tokens >= 1.0
        self._keep(key, tokens - 1.0 if granted else tokens, now)
        return 0.0 if granted else (1.0 - tokens) / self._per_second

    def charge(self, key: Hashable, tokens: float) -> None:
        """Takes tokens that need not be there: a bucket may owe as much as it holds at most."""
        left, now = self._tokens(key)
        self._keep(key, max(left - tokens, -self._burst), now)

    def _tokens(self, key: Hashable) -> tuple[float, float]:
        now = self._clock()
        tokens, at = self._buckets.pop(key, (self._burst, now))
        return min(self._burst, tokens + (now - at) * self._per_second), now

    def _keep(self, key: Hashable, tokens: float, now: float) -> None:
        self._buckets[key] = (tokens, now)
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
