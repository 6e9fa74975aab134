"""How many sockets are open and how many bytes wait in them, for each client and for all together."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass

from aligned.clients import Client
from aligned.limits import Shares


@dataclass(frozen=True, slots=True)
class GateLimits:
    """Bounds, for one client and for all.

    Attributes:
        client_sockets: open connections of any kind, also those that said nothing yet.
        client_bytes: bytes of messages that are received in part, or not taken on yet.
    """

    sockets: int
    client_sockets: int
    buffered_bytes: int
    client_bytes: int


class Gate:
    """Counts what strangers occupy before anything about them is known."""

    def __init__(self, limits: GateLimits) -> None:
        self._limits = limits
        self._sockets = Shares(limits.sockets)
        self._bytes: Counter[object] = Counter()
        self._total_bytes = 0

    def socket(self, client: Client | None) -> AbstractContextManager[None]:
        """Holds a socket; None for the client behind a proxy that has not named it yet.

        Raises:
            AlignedError: rate_limited, server_busy: there are too many.
        """
        bounds = () if client is None else client.bounds(self._limits.client_sockets)
        return self._sockets.take(bounds, 1, "connections")

    def hold(self, client: Client, change_bytes: int) -> bool:
        """Counts more or fewer waiting bytes; False if they are too many now."""
        self._total_bytes += change_bytes
        is_within = self._total_bytes <= self._limits.buffered_bytes
        for bound in client.bounds(self._limits.client_bytes):
            self._bytes[bound.key] += change_bytes
            is_within = is_within and self._bytes[bound.key] <= bound.limit
            if not self._bytes[bound.key]:
                del self._bytes[bound.key]
        return is_within
