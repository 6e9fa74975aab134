"""Who asks: the address of a connection, or the one that a trusted proxy names, and the networks that it is in.

A host with IPv6 has a whole network of addresses, so the first 64 bits are one client. Customers get networks of 56 or
48 bits, which hold 256 or 65,536 such clients: each of them has a share of its own, some times that of one client.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import structlog
from starlette.requests import HTTPConnection

from aligned.limits import Bound, RateLimiter

log = structlog.get_logger(__name__)
IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
ForwardingHeader: TypeAlias = Literal["x-forwarded-for", "forwarded"]

# Why a client could not be told from its proxy.
NOT_NAMED: Final = "not_named"
UNREADABLE: Final = "unreadable"
PROXY_NOT_TRUSTED: Final = "proxy_not_trusted"
_WARNINGS: Final = {
    NOT_NAMED: "a trusted proxy names no client: all that it sends are one client; make it set the header",
    UNREADABLE: "a trusted proxy names a client in a way that is not understood; all these are one client",
    PROXY_NOT_TRUSTED: "clients are named by a peer that is not trusted: if it is your proxy, all that it sends are "
    "one client until its network is in trusted_proxies",
}

_CLIENT_BITS = 64
# Bits of the wider networks, and how many times the share of one client each has.
_NETWORKS: Final = ((56, 2), (48, 4))
_MAX_HOP_CHARS = 256
# Commas and semicolons within quotes are not believed: they would be what a client told its proxy, a host for instance.
_PAIR = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"\\]+))\s*')
_ESCAPED = re.compile(r"\\(.)")
_OBFUSCATED = re.compile(r"_[0-9A-Za-z._-]+")


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who asks.

    Attributes:
        name: an address; of IPv6 its first 64 bits.
        networks: the wider ones that it is in, each within the next.
    """

    name: str
    networks: tuple[str, ...] = ()

    def bounds(self, limit: int) -> tuple[Bound, ...]:
        """The bounds of somebody who may have `limit` at a time, for `Shares`."""
        wider = zip(self.networks, _NETWORKS, strict=False)
        return (
            Bound(self.name, limit, "one address"),
            *(Bound(name, limit * times, f"the network {name}") for name, (_bits, times) in wider),
        )


class ClientRates:
    """Token buckets of clients and of the networks that they are in.

    Args:
        per_second, burst: of one client.
    """

    def __init__(self, per_second: float, burst: float) -> None:
        times = (1, *(times for _bits, times in _NETWORKS))
        self._limiters = [RateLimiter(per_second * each, burst * each) for each in times]

    def take(self, client: Client) -> float:
        """Takes a token: 0.0 when there was one, else the seconds until there is one."""
        buckets = self._buckets(client)
        wait_s = max(limiter.wait_s(key) for limiter, key in buckets)
        if not wait_s:
            self.charge(client, 1.0)
        return wait_s

    def charge(self, client: Client, tokens: float) -> None:
        """Takes tokens that need not be there."""
        for limiter, key in self._buckets(client):
            limiter.charge(key, tokens)

    def _buckets(self, client: Client) -> list[tuple[RateLimiter, str]]:
        return list(zip(self._limiters, (client.name, *client.networks), strict=False))


class ClientNames:
    """Tells clients apart.

    Args:
        trusted_proxies: networks whose header is believed, read from its end: the rest of it anybody could have sent.
        header: the one that the proxies set. Another one is not looked at: they would pass on what a client invents.
        count: is told each time that a client could not be told from its proxy, and why.
    """

    def __init__(
        self,
        trusted_proxies: Sequence[IpNetwork],
        header: ForwardingHeader = "x-forwarded-for",
        count: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self.header = header
        self._trusted = tuple(trusted_proxies)
        self._read = _address_in_element if header == "forwarded" else _address_in_hop
        self._count = count
        self._warned: set[str] = set()

    def of(self, request: HTTPConnection) -> Client:
        """The client of an HTTP request."""
        peer = "" if request.client is None else request.client.host
        return self.named(peer, request.headers.getlist(self.header))

    def is_proxy(self, peer: str) -> bool:
        """Whether the other end of a connection is a trusted proxy, which has yet to name its client."""
        address = _parse(peer)
        return address is not None and self._trusts(address)

    def named(self, peer: str, lines: Sequence[str]) -> Client:
        """The client behind a connection.

        Args:
            peer: address of the other end.
            lines: of the header, in order.
        """
        address = _parse(peer)
        if address is None:
            return Client("no address")
        if not self._trusts(address):
            if lines:
                self._miss(PROXY_NOT_TRUSTED, address, lines[-1])
            return _client(address)
        return self._behind(address, [hop for line in lines for hop in line.split(",")])

    def _behind(self, proxy: IpAddress, hops: list[str]) -> Client:
        """The nearest hop that is no trusted proxy."""
        if not hops:
            self._miss(NOT_NAMED, proxy, "")
        while hops:
            hop = hops.pop()
            found = self._read(hop.strip()) if len(hop) <= _MAX_HOP_CHARS else None
            if isinstance(found, str):
                return Client(f"{found} behind {proxy}")
            if found is None:
                self._miss(UNREADABLE, proxy, hop)
                break
            proxy = found
            if not self._trusts(proxy):
                break
        return _client(proxy)

    def _trusts(self, address: IpAddress) -> bool:
        return any(address in network for network in self._trusted)

    def _miss(self, reason: str, peer: IpAddress, hop: str) -> None:
        self._count(reason)
        if reason not in self._warned:
            self._warned.add(reason)
            log.warning(
                "client_not_named", reason=reason, peer=str(peer), header=self.header,
                given=hop[:_MAX_HOP_CHARS], text=_WARNINGS[reason],
            )  # fmt: skip


def _address_in_hop(hop: str) -> IpAddress | str | None:
    """An entry of X-Forwarded-For: an address, also with a port or in brackets."""
    return _parse(hop) or _parse(_without_port(hop))


def _address_in_element(element: str) -> IpAddress | str | None:
    """The address in an element of Forwarded (RFC 7239), or the identifier that the proxy gives instead."""
    pairs = [_PAIR.fullmatch(pair) for pair in element.split(";") if pair.strip()]
    values = [
        _ESCAPED.sub(r"\1", pair[2]) if pair[3] is None else pair[3]
        for pair in pairs
        if pair is not None and pair[1].lower() == "for"
    ]
    if None in pairs or len(values) != 1:
        return None
    value = values[0]
    return value if _OBFUSCATED.fullmatch(value) else _address_in_hop(value)


def _without_port(text: str) -> str:
    head, colon, port = text.rpartition(":")
    bare = head if colon and port.isascii() and port.isdecimal() else text
    return bare[1:-1] if bare.startswith("[") and bare.endswith("]") else bare


def _parse(text: str) -> IpAddress | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _client(address: IpAddress) -> Client:
    if isinstance(address, ipaddress.IPv4Address):
        return Client(str(address))
    names = [str(_network(address, bits)) for bits in (_CLIENT_BITS, *(bits for bits, _times in _NETWORKS))]
    return Client(names[0], tuple(names[1:]))


def _network(address: IpAddress, bits: int) -> IpNetwork:
    return ipaddress.ip_network((address.packed, bits), strict=False)
