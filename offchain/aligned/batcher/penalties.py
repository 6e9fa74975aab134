"""What invalid proofs cost their senders: time. A verifier may work ten seconds on a proof that nobody pays for."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PenaltyRules:
    """How pauses grow and are forgotten.

    Attributes:
        free: invalid proofs before the first pause.
        first_pause_s: that pause; each further invalid proof doubles it.
        max_pause_s: the longest one, so that a shared address is never locked out for good.
        forget_s: after this long without another one, the last invalid proof is forgotten.
    """

    free: int
    first_pause_s: float
    max_pause_s: float
    forget_s: float


@dataclass(frozen=True, slots=True)
class _Record:
    level: float
    at: float
    until: float


class Penalties:
    """Pauses by key, the longest unused ones forgotten.

    Args:
        clock: monotonic seconds.
    """

    def __init__(
        self, rules: PenaltyRules, max_keys: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rules = rules
        # Of the longest pause: what comes on top would only take longer to be forgotten.
        self._max_level = rules.free + 1 + math.log2(max(1.0, rules.max_pause_s / rules.first_pause_s))
        self._max_keys = max_keys
        self._clock = clock
        self._records: OrderedDict[Hashable, _Record] = OrderedDict()

    def wait_s(self, key: Hashable) -> float:
        """Seconds for which nothing more is verified for it; 0.0 for none."""
        record = self._records.get(key)
        return 0.0 if record is None else max(0.0, record.until - self._clock())

    def record(self, key: Hashable) -> None:
        """Counts an invalid proof."""
        rules, now = self._rules, self._clock()
        level, pause_s = min(self._level(key, now) + 1, self._max_level), 0.0
        if level > rules.free:
            pause_s = min(rules.max_pause_s, rules.first_pause_s * 2 ** (level - rules.free - 1))
        self._records[key] = _Record(level, now, now + pause_s)
        self._records.move_to_end(key)
        if len(self._records) > self._max_keys:
            self._records.popitem(last=False)

    def _level(self, key: Hashable, now: float) -> float:
        """Invalid proofs that are not forgotten. What passed during a pause does not count as good conduct."""
        record = self._records.get(key)
        if record is None:
            return 0.0
        idle_s = max(0.0, now - max(record.at, record.until))
        return max(0.0, record.level - idle_s / self._rules.forget_s)
