"""Who asks, how often, and how much at a time: bounds by client address and by paying account."""

from __future__ import annotations

import ipaddress
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from starlette.requests import HTTPConnection

from aligned.core.errors import SERVER_BUSY, DependencyError
from aligned.gateway.refusals import refusal
from aligned.limits import RateLimiter
from aligned.settings import GatewaySettings
from aligned.wire.aggregator import RATE_LIMITED

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_IPV6_SUBSCRIBER_BITS = 64
_RETRY_S = 5
_ROWS_OF_A_READ = 128


class ClientNames:
    """Tells clients apart by address; whoever has an IPv6 network has one name.

    Args:
        trusted_proxies: networks whose X-Forwarded-For is believed.
    """

    def __init__(self, trusted_proxies: Sequence[IpNetwork]) -> None:
        self._trusted = tuple(trusted_proxies)

    def of(self, request: HTTPConnection) -> str:
        """The name of the client."""
        peer = _parse("" if request.client is None else request.client.host)
        hops = [hop for line in request.headers.getlist("x-forwarded-for") for hop in line.split(",")]
        while peer is not None and hops and any(peer in network for network in self._trusted):
            named = _parse(hops.pop().strip())
            if named is None:
                break
            peer = named
        return _name(peer)


def _parse(text: str) -> IpAddress | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _name(address: IpAddress | None) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address.packed, _IPV6_SUBSCRIBER_BITS), strict=False))
    return str(address)


class Shares:
    """Counts what is in use, for each client and for all."""

    def __init__(self, limit: int, limit_per_client: int) -> None:
        self._limit = limit
        self._limit_per_client = limit_per_client
        self._used: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """What all use together."""
        return self._used.total()

    @contextmanager
    def take(self, client: str, amount: int, what: str) -> Iterator[None]:
        """Holds `amount` during the block.

        Raises:
            ProtocolError: rate_limited, when this client has too much.
            DependencyError: server_busy, when all together have too much.
        """
        if self._used[client] + amount > self._limit_per_client:
            text = f"{what}: at most {self._limit_per_client} at a time from one address"
            raise refusal(RATE_LIMITED, text, retry_after_s=_RETRY_S)
        if self.total + amount > self._limit:
            raise DependencyError(SERVER_BUSY, f"{what}: at most {self._limit} at a time")
        self._used[client] += amount
        try:
            yield
        finally:
            self._used[client] -= amount
            if not self._used[client]:
                del self._used[client]


class Gate:
    """All bounds of one gateway process."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.names = ClientNames(settings.trusted_proxies)
        self._reads = RateLimiter(settings.reads_per_s, settings.read_burst)
        self._uploads = RateLimiter(settings.uploads_per_s, settings.upload_burst)
        self._accounts = RateLimiter(settings.submissions_per_s, settings.submission_burst)
        self._rejection_cost = settings.rejection_cost
        self.uploads = Shares(settings.max_uploads, settings.max_uploads_per_ip)
        self.upload_bytes = Shares(settings.max_upload_bytes, settings.max_upload_bytes)
        self.waiters = Shares(settings.max_waiters, settings.max_waiters_per_ip)
        self.leaf_lists = Shares(settings.max_leaf_lists, settings.max_leaf_lists_per_ip)

    def admit_read(self, client: str) -> None:
        """Raises ProtocolError rate_limited."""
        _check(self._reads.take(client), "requests")

    def charge_read(self, client: str, rows: int) -> None:
        """An answer out of many rows took as long as several others."""
        self._reads.charge(client, rows / _ROWS_OF_A_READ)

    def admit_upload(self, client: str) -> None:
        """Raises ProtocolError rate_limited."""
        _check(self._uploads.take(client), "uploads")

    def admit_account(self, address: bytes) -> None:
        """Raises ProtocolError rate_limited. Only for addresses that paid: strangers could invent any number."""
        _check(self._accounts.take(address), "submissions of this account")

    def count_rejection(self, address: bytes) -> None:
        """A rejected proof took a verifier's time and cost nothing: the account may submit the less for a while."""
        self._accounts.charge(address, self._rejection_cost)


def _check(wait_s: float, what: str) -> None:
    if wait_s > 0:
        raise refusal(RATE_LIMITED, f"too many {what}", retry_after_s=math.ceil(wait_s))
