"""Downloads from URLs that strangers wrote: bounded in size and time, and kept out of private networks.

The host is resolved once, every address is checked, and the connection goes to the checked address itself, so a
name that resolves differently a moment later (DNS rebinding) gains nothing. TLS still checks the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import cache
from urllib.parse import urljoin

import httpcore
import httpx
from httpcore import AsyncNetworkBackend, AsyncNetworkStream

from aligned.core.errors import AlignedError, DependencyError, ProtocolError

INVALID_URL = "invalid_url"
TOO_MANY_URLS = "too_many_urls"
PRIVATE_ADDRESS = "private_address"
TOO_LARGE = "download_too_large"
REDIRECT_REFUSED = "redirect_refused"
ENCODING_REFUSED = "content_encoding_refused"
DOWNLOAD_FAILED = "download_failed"
DOWNLOAD_TIMEOUT = "download_timeout"
DOWNLOAD_TOO_SLOW = "download_too_slow"

MAX_URLS = 5
MAX_URL_CHARS = 2_048
MAX_REDIRECTS = 3
_MAX_ADDRESSES = 4
# A server may take so long before it must keep the least rate.
_SLOW_START_S = 5.0

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Special ranges (IANA) that older Python versions count as global.
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "100.64.0.0/10", "64:ff9b:1::/48", "2001::/23", "3fff::/20", "5f00::/16")
)


def is_public(address: IpAddress) -> bool:
    """Whether `address` is on the public internet, looking through IPv4 embedded in IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    if any(address in network for network in _SPECIAL if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def download(
    url: str,
    max_bytes: int,
    timeout_s: float,
    allow_private: bool = False,
    allow_redirects: bool = False,
    min_bytes_per_s: float = 0.0,
) -> bytes:
    """Fetches the first of up to five comma-separated URLs that answers.

    Args:
        url: http or https URLs.
        max_bytes: most bytes of a body; counted while reading, whatever Content-Length says.
        timeout_s: for everything together.
        allow_private: also connect to loopback, private and other special addresses.
        allow_redirects: follow up to three, each checked like the first URL.
        min_bytes_per_s: least average rate of each URL after its first five seconds; 0: any.

    Raises:
        ProtocolError: what the author of the URL did: invalid_url, too_many_urls, private_address,
            download_too_large, redirect_refused, content_encoding_refused.
        DependencyError: download_failed, download_timeout, download_too_slow. With several URLs: the last error.
    """
    urls = [part.strip() for part in url.split(",")]
    if len(urls) > MAX_URLS:
        raise ProtocolError(TOO_MANY_URLS, f"got {len(urls)}, limit {MAX_URLS}")
    try:
        async with asyncio.timeout(timeout_s):
            return await _first(urls, max_bytes, allow_private, allow_redirects, min_bytes_per_s)
    except TimeoutError as error:
        raise DependencyError(DOWNLOAD_TIMEOUT, f"nothing complete after {timeout_s} s") from error


async def _first(
    urls: list[str], max_bytes: int, allow_private: bool, allow_redirects: bool, min_bytes_per_s: float
) -> bytes:
    last: AlignedError = ProtocolError(INVALID_URL, "no URL given")
    async with httpx.AsyncClient(
        transport=_Transport(allow_private),
        trust_env=False,
        timeout=None,  # noqa: S113
    ) as client:
        for url in urls:
            pace = _Pace(min_bytes_per_s)
            try:
                return await _fetch(client, url, max_bytes, MAX_REDIRECTS if allow_redirects else 0, pace)
            except AlignedError as error:
                last = error
    raise last


async def _fetch(
    client: httpx.AsyncClient, url: str, max_bytes: int, redirects_left: int, pace: _Pace
) -> bytes:
    _check_url(url)
    try:
        async with (
            pace.kept(),
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.has_redirect_location and redirects_left > 0:
                target = _target(url, response.headers["location"])
            elif response.is_success:
                return await _read(response, max_bytes, pace)
            elif response.is_redirect:
                raise ProtocolError(REDIRECT_REFUSED, f"status {response.status_code}")
            else:
                raise DependencyError(DOWNLOAD_FAILED, f"status {response.status_code}")
    except (httpx.HTTPError, httpx.InvalidURL, httpcore.NetworkError, OSError, ValueError) as error:
        # ValueError: httpx decodes host names (IDNA) and headers that strangers wrote at many places.
        raise DependencyError(DOWNLOAD_FAILED, f"{type(error).__name__}: {error}") from error
    return await _fetch(client, target, max_bytes, redirects_left - 1, pace)


def _check_url(url: str) -> None:
    # Each part is decoded only when it is read: a host like "xn--a" raises there, not in the constructor.
    try:
        parsed = httpx.URL(url) if len(url) <= MAX_URL_CHARS else None
        usable = (
            parsed is not None
            and parsed.scheme in ("http", "https")
            and bool(parsed.host)
            and not parsed.userinfo
            and 0 < (parsed.port or 80) < 65_536
        )
    except (httpx.InvalidURL, ValueError):
        usable = False
    if not usable:
        raise ProtocolError(INVALID_URL, f"not an http(s) URL without credentials: {url[:128]!r}")


def _target(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise ProtocolError(INVALID_URL, f"redirect to {location[:128]!r}") from error


class _Pace:
    """Ends a transfer that falls behind its least rate; silence counts as well.

    Args:
        min_bytes_per_s: 0 ends nothing.
    """

    def __init__(self, min_bytes_per_s: float) -> None:
        self._rate = min_bytes_per_s
        self._deadline = asyncio.get_running_loop().time() + _SLOW_START_S
        self._clock: asyncio.Timeout | None = None

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Around the transfer.

        Raises:
            DependencyError: download_too_slow.
        """
        try:
            async with asyncio.timeout_at(self._deadline if self._rate else None) as self._clock:
                yield
        except TimeoutError as error:
            if self._clock is None or not self._clock.expired():
                raise
            raise DependencyError(DOWNLOAD_TOO_SLOW, f"less than {self._rate:.0f} bytes/s") from error

    def got(self, size_bytes: int) -> None:
        """Bytes buy time."""
        if self._rate and self._clock is not None:
            self._deadline += size_bytes / self._rate
            self._clock.reschedule(self._deadline)


async def _read(response: httpx.Response, max_bytes: int, pace: _Pace) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        # A compressed body can be a thousand times larger than what crossed the wire.
        raise ProtocolError(ENCODING_REFUSED, f"got {encoding[:32]!r}")
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise ProtocolError(TOO_LARGE, f"announced {announced[:20]} bytes, limit {max_bytes}")
    body = bytearray()
    async for chunk in response.aiter_raw():
        pace.got(len(chunk))
        if len(body) + len(chunk) > max_bytes:
            raise ProtocolError(TOO_LARGE, f"more than {max_bytes} bytes")
        body += chunk
    return bytes(body)


@cache
def _tls() -> ssl.SSLContext:
    # Reading the authorities' certificates takes longer than most downloads.
    return httpx.create_ssl_context(trust_env=False)


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's transport over a connection pool that dials through `_PinnedBackend`."""

    def __init__(self, allow_private: bool) -> None:
        super().__init__(verify=_tls(), trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_tls(),
            network_backend=_PinnedBackend(allow_private),
            max_connections=MAX_URLS,
        )


class _PinnedBackend(AsyncNetworkBackend):
    """Resolves, checks, and connects to the very addresses that it checked. Host header and SNI keep the name."""

    def __init__(self, allow_private: bool) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._allow_private = allow_private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        addresses = await _resolve(host, port)
        if not self._allow_private and not all(is_public(address) for address in addresses):
            # One private address among public ones is already an attempt to get inside.
            raise ProtocolError(PRIVATE_ADDRESS, f"{host} is not on the public internet")
        last: Exception | None = None
        for address in addresses[:_MAX_ADDRESSES]:
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last or httpcore.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


async def _resolve(host: str, port: int) -> list[IpAddress]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DependencyError(DOWNLOAD_FAILED, f"cannot resolve {host[:255]}: {error}") from error
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
