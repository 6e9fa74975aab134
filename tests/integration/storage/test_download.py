"""Downloads from servers that lie, stall, redirect and point inside."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aligned.core.errors import AlignedError, DependencyError, ProtocolError
from aligned.storage.download import download

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"


@asynccontextmanager
async def _server(answer: Answer) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(await reader.readuntil(b"\r\n\r\n"), writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/f"


def _says(raw: bytes) -> Answer:
    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return answer


async def _code(url: str, max_bytes: int = 100, timeout_s: float = 20.0, **options: Any) -> str:
    with pytest.raises(AlignedError) as caught:
        await download(url, max_bytes, timeout_s, **{"allow_private": True, **options})
    return caught.value.code


async def test_download__exactly_the_limit__arrives_with_identity_encoding_asked() -> None:
    requests = []

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        requests.append(request.lower())
        writer.write(OK + b"Content-Length: 100\r\n\r\n" + b"x" * 100)

    async with _server(answer) as url:
        assert await download(url, 100, 20, allow_private=True) == b"x" * 100
    assert b"accept-encoding: identity\r\n" in requests[0]


async def test_download__announced_size_too_large__is_refused_unread() -> None:
    async with _server(_says(OK + b"Content-Length: 1073741824\r\n\r\n")) as url:
        assert await _code(url) == "download_too_large"


async def test_download__endless_body_without_length__stops_at_the_limit() -> None:
    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Connection: close\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with _server(answer) as url:
        assert await _code(url, max_bytes=1_000_000) == "download_too_large"


async def test_download__endless_chunked_body__stops_at_the_limit() -> None:
    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            await writer.drain()

    async with _server(answer) as url:
        assert await _code(url, max_bytes=1_000_000) == "download_too_large"


async def test_download__body_shorter_than_announced__is_refused() -> None:
    async with _server(_says(OK + b"Content-Length: 50\r\n\r\nshort")) as url:
        assert await _code(url) == "download_failed"


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"GZIP, identity"])
async def test_download__encoded_body__is_refused(encoding: bytes) -> None:
    bomb = gzip.compress(b"0" * 10_000)
    head = OK + b"Content-Encoding: " + encoding + b"\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with _server(_says(head + bomb)) as url:
        assert await _code(url) == "content_encoding_refused"


@pytest.mark.parametrize("drip", [True, False])
async def test_download__slow_server__ends_at_the_total_timeout(drip: bool) -> None:
    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 90\r\n\r\n" if drip else b"HTTP/1.1 ")
        while True:
            await asyncio.sleep(0.05)
            writer.write(b"x" if drip else b"")
            await writer.drain()

    async with _server(answer) as url:
        assert await _code(url, timeout_s=0.5) == "download_timeout"


async def test_download__answer_is_no_http__is_an_error() -> None:
    async with _server(_says(b"\x00\xff garbage\r\n\r\n")) as url:
        assert await _code(url) == "download_failed"


async def test_download__header_without_end__is_an_error() -> None:
    async with _server(_says(OK + b"X: " + b"y" * 1_000_000)) as url:
        assert await _code(url) == "download_failed"


async def test_download__not_found__is_an_error() -> None:
    async with _server(_says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")) as url:
        assert await _code(url) == "download_failed"


async def test_download__redirect__followed_only_when_allowed() -> None:
    async with _server(_says(OK + b"Content-Length: 2\r\n\r\nhi")) as target:
        moved = b"HTTP/1.1 302 Found\r\nLocation: " + target.encode() + b"\r\nContent-Length: 0\r\n\r\n"
        async with _server(_says(moved)) as url:
            assert await _code(url) == "redirect_refused"
            assert await download(url, 100, 20, allow_private=True, allow_redirects=True) == b"hi"


async def test_download__redirect_loop__ends() -> None:
    loop = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"
    async with _server(_says(loop)) as url:
        assert await _code(url, allow_redirects=True) == "redirect_refused"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://user:pw@127.0.0.1/"])
async def test_download__redirect_to_another_scheme__is_refused(target: str) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: " + target.encode() + b"\r\nContent-Length: 0\r\n\r\n"
    async with _server(_says(moved)) as url:
        assert await _code(url, allow_redirects=True) == "invalid_url"


@pytest.mark.parametrize(
    "target", ["http://xn--a/", "http://[::1", "http://[x]/", "//xn--/", "http://h:\xb2/"]
)
async def test_download__redirect_to_a_host_that_does_not_decode__is_an_error_of_ours(target: str) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: " + target.encode() + b"\r\nContent-Length: 0\r\n\r\n"
    async with _server(_says(moved)) as url:
        assert await _code(url, allow_redirects=True) in {"invalid_url", "download_failed"}
        assert await _code(url) in {"redirect_refused", "invalid_url", "download_failed"}


@pytest.mark.parametrize("drip", [b"x", b""], ids=["trickling", "silent"])
async def test_download__below_the_least_rate__ends_long_before_the_timeout(
    drip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aligned.storage.download._SLOW_START_S", 0.2)

    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 90\r\n\r\n")
        while True:
            await asyncio.sleep(0.05)
            writer.write(drip)
            await writer.drain()

    async with _server(answer) as url:
        assert await _code(url, timeout_s=3_600, min_bytes_per_s=1_000) == "download_too_slow"


async def test_download__above_the_least_rate__may_take_longer_than_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aligned.storage.download._SLOW_START_S", 0.2)

    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 100000\r\n\r\n")
        for _ in range(10):
            writer.write(b"x" * 10_000)
            await writer.drain()
            await asyncio.sleep(0.05)

    async with _server(answer) as url:
        got = await download(url, 100_000, 60, allow_private=True, min_bytes_per_s=10_000)
    assert len(got) == 100_000


async def test_download__list_of_urls__first_that_answers_wins() -> None:
    async with _server(_says(OK + b"Content-Length: 2\r\n\r\nhi")) as url:
        listed = f"http://127.0.0.1:1/x, {url},http://127.0.0.1:1/y"
        assert await download(listed, 100, 20, allow_private=True) == b"hi"


async def test_download__private_address__never_connected_to() -> None:
    contacted = asyncio.Event()

    async def answer(_request: bytes, _writer: asyncio.StreamWriter) -> None:
        contacted.set()

    async with _server(answer) as url:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0"):
            code = await _code(url.replace("127.0.0.1", host), allow_private=False)
            assert code in {"private_address", "download_failed", "invalid_url"}, host
    assert not contacted.is_set()


async def test_download__name_that_changes_its_address__connects_to_the_checked_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lookups: list[str] = []
    answers = {"rebind.example": ["8.8.8.8", "127.0.0.1"]}
    real = asyncio.BaseEventLoop.getaddrinfo
    dialled: list[str] = []

    async def lookup(self: asyncio.BaseEventLoop, host: str, port: int, **options: Any) -> list[Any]:
        if host not in answers:
            dialled.append(host)
            return await real(self, host, port, **options)
        lookups.append(host)
        address = answers[host][len(lookups) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lookup)
    with pytest.raises(DependencyError):
        await download("http://rebind.example/x", 10, 1.0)
    assert len(lookups) == 1
    assert "127.0.0.1" not in dialled


async def test_download__first_address_unreachable__next_one_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = asyncio.BaseEventLoop.getaddrinfo

    async def lookup(self: asyncio.BaseEventLoop, host: str, port: int, **options: Any) -> list[Any]:
        if host != "two.example":
            return await real(self, host, port, **options)
        # 127.0.0.2 is up, but nobody listens there.
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lookup)
    async with _server(_says(OK + b"Content-Length: 2\r\n\r\nhi")) as url:
        assert await download(url.replace("127.0.0.1", "two.example"), 10, 20, allow_private=True) == b"hi"


async def test_download__one_private_address_among_public_ones__is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lookup(_self: asyncio.BaseEventLoop, _host: str, port: int, **_options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lookup)
    with pytest.raises(ProtocolError, match="private_address"):
        await download("https://mixed.example/x", 10, 5)
