"""How many sockets are open and how many bytes wait in them, for each IP address and for all together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GateLimits:
    """Bounds, for one IP address and for all.

    Attributes:
        ip_sockets: open connections of any kind, also those that said nothing yet.
        ip_bytes: bytes of messages that are received in part, or not taken on yet.
    """

    sockets: int
    ip_sockets: int
    buffered_bytes: int
    ip_bytes: int


class Gate:
    """Counts what strangers occupy before anything about them is known."""

    def __init__(self, limits: GateLimits) -> None:
        self._limits = limits
        self._sockets: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._total_bytes = 0

    def enter(self, ip: str) -> bool:
        """Counts a socket in; False, and nothing counted, if there are too many."""
        limits = self._limits
        if self._sockets.total() >= limits.sockets or self._sockets[ip] >= limits.ip_sockets:
            return False
        self._sockets[ip] += 1
        return True

    def leave(self, ip: str) -> None:
        """Counts a socket out."""
        self._sockets[ip] -= 1
        if not self._sockets[ip]:
            del self._sockets[ip]

    def hold(self, ip: str, change_bytes: int) -> bool:
        """Counts more or fewer waiting bytes; False if they are too many now."""
        self._bytes[ip] += change_bytes
        self._total_bytes += change_bytes
        held_bytes = self._bytes[ip]
        if not held_bytes:
            del self._bytes[ip]
        return held_bytes <= self._limits.ip_bytes and self._total_bytes <= self._limits.buffered_bytes
