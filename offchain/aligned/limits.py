"""How often somebody may ask, and how much somebody may hold at a time: token buckets and shares, bounded in number."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from aligned.core.errors import SERVER_BUSY, DependencyError, ProtocolError
from aligned.wire.aggregator import RATE_LIMITED

_TOO_MANY_REQUESTS = 429
_RETRY_S = 5


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
        wait_s = self.wait_s(key)
        if not wait_s:
            self.charge(key, 1.0)
        return wait_s

    def wait_s(self, key: Hashable) -> float:
        """Seconds until there is a token; 0.0 when there is one. Takes nothing."""
        if key in self._buckets:
            self._buckets.move_to_end(key)
        tokens, _now = self._tokens(key)
        return 0.0 if tokens >= 1.0 else (1.0 - tokens) / self._per_second

    def charge(self, key: Hashable, tokens: float) -> None:
        """Takes tokens that need not be there: a bucket may owe as much as it holds at most."""
        left, now = self._tokens(key)
        self._buckets[key] = (max(left - tokens, -self._burst), now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)

    def _tokens(self, key: Hashable) -> tuple[float, float]:
        now = self._clock()
        tokens, at = self._buckets.get(key, (self._burst, now))
        return min(self._burst, tokens + (now - at) * self._per_second), now


@dataclass(frozen=True, slots=True)
class Bound:
    """How much may be held under one key.

    Attributes:
        whose: in words, as in "at most 16 at a time of one address".
    """

    key: Hashable
    limit: int
    whose: str


class Shares:
    """Counts what is in use, by key and in all.

    Args:
        limit: of all together.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self._used: Counter[Hashable] = Counter()

    @property
    def total(self) -> int:
        """What all use together."""
        return self._total

    @property
    def occupancy(self) -> float:
        """What all use together, of what they may: 0 to 1."""
        return self._total / self._limit

    @contextmanager
    def take(self, bounds: Sequence[Bound], amount: int, what: str) -> Iterator[None]:
        """Holds `amount` under every key of `bounds` during the block.

        Raises:
            ProtocolError: rate_limited, when there is too much under one of them: the first one is named.
            DependencyError: server_busy, when all together have too much.
        """
        self._check(bounds, amount, what)
        self._count(bounds, amount)
        try:
            yield
        finally:
            self._count(bounds, -amount)

    def _check(self, bounds: Sequence[Bound], amount: int, what: str) -> None:
        for bound in bounds:
            if self._used[bound.key] + amount > bound.limit:
                text = f"{what}: at most {bound.limit} at a time of {bound.whose}"
                raise ProtocolError(RATE_LIMITED, text, status=_TOO_MANY_REQUESTS, retry_after_s=_RETRY_S)
        if self._total + amount > self._limit:
            raise DependencyError(SERVER_BUSY, f"{what}: at most {self._limit} at a time")

    def _count(self, bounds: Sequence[Bound], amount: int) -> None:
        self._total += amount
        for key in {bound.key for bound in bounds}:
            self._used[key] += amount
            if not self._used[key]:
                del self._used[key]
