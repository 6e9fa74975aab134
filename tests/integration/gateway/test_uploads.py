"""Bodies that are too large, too slow, of the wrong type, broken off, or too many: real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from aligned.storage.postgres import Database
from tests.integration.gateway.running import Running, gateway_settings, running_gateway
from tests.integration.gateway.submitter import Submitter, post, risc0
from tests.integration.votes import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
BOUNDARY = "b0undary"
HEADERS = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(db: Database, database_url: str, folder: Path) -> AsyncIterator[Running]:
    """A gateway that takes little, and waits not long."""
    settings = gateway_settings(
        database_url,
        folder / "strict",
        max_proof_bytes=300_000,
        max_public_input_bytes=100,
        max_uploads=3,
        max_uploads_per_ip=2,
        upload_idle_s=0.5,
        upload_timeout_s=1.5,
    )
    async with running_gateway(settings, db) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def brisk(db: Database, database_url: str, folder: Path) -> AsyncIterator[Running]:
    """A gateway that waits long for an upload, but not for a slow one."""
    settings = gateway_settings(
        database_url,
        folder / "brisk",
        upload_idle_s=1.0,
        upload_timeout_s=600.0,
        upload_min_bytes_per_s=20_000,
    )
    async with running_gateway(settings, db) as running:
        yield running


def _part(name: str, data: bytes = b"x", headers: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\n{headers}\r\n'
    return head.encode() + data + b"\r\n"


def _pieces(size: int, piece: int = 65_536) -> Iterator[bytes]:
    """A proof part that does not end."""
    yield _part("proof").removesuffix(b"x\r\n")
    for _ in range(size // piece):
        yield b"\xff" * piece


async def _send(gateway: Running, content: Any, headers: dict[str, str] = HEADERS) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        return await http.post(f"{gateway.url}/v1/proofs", content=content, headers=headers)


async def _async(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@asynccontextmanager
async def _connected(gateway: Running, said: bytes) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.gateway.port)
    writer.write(said)
    await writer.drain()
    try:
        yield reader
    finally:
        writer.close()


def _head(extra: str) -> bytes:
    return f"POST /v1/proofs HTTP/1.1\r\nHost: a\r\nContent-Type: {HEADERS['content-type']}\r\n{extra}\r\n".encode()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    async with asyncio.timeout(20):
        raw = await reader.read()
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])


async def test_upload__announced_too_large__refused_before_it_is_sent(strict: Running) -> None:
    async with _connected(strict, _head("Content-Length: 999999999999\r\n")) as reader:
        status, problem = await _answer(reader)
    assert (status, problem["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("announced", ["1" * 30, "9" * 18])
async def test_upload__absurd_length__refused(strict: Running, announced: str) -> None:
    async with _connected(strict, _head(f"Content-Length: {announced}\r\n")) as reader:
        async with asyncio.timeout(20):
            status = int((await reader.read()).split()[1])
    assert status in (400, 413)


async def test_upload__not_announced_and_too_large__refused_while_it_comes(strict: Running) -> None:
    answer = await _send(strict, _async(_pieces(2_000_000)))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert strict.spooled() == []


async def test_upload__many_small_parts_beyond_the_limit__refused(strict: Running) -> None:
    body = b"".join(_part(name) for name in ("system", "nonce", "deadline", "signature", "address", "extra"))
    answer = await _send(strict, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_message")


@pytest.mark.parametrize(
    ("part", "size"), [("proof", 300_001), ("key", 1_025), ("public_inputs", 101), ("nonce", 257)]
)
async def test_upload__part_too_large__refused(strict: Running, part: str, size: int) -> None:
    answer = await _send(strict, _part(part, bytes(size)) + f"--{BOUNDARY}--\r\n".encode())
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert answer.json()["part"] == part


async def test_upload__part_at_its_limit__is_not_too_large(strict: Running) -> None:
    answer = await _send(strict, _part("proof", bytes(300_000)) + f"--{BOUNDARY}--\r\n".encode())
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_message")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 71,
        "multipart/mixed; boundary=b",
        "text/plain; boundary=b",
        "",
        "multipart/form-data; boundary=\x80",
    ],
)
async def test_upload__other_media_type__refused(strict: Running, content_type: str) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        headers = [(b"content-type", content_type.encode("latin-1"))]
        answer = await http.post(f"{strict.url}/v1/proofs", content=b'{"system": "sp1"}', headers=headers)
    expected = (415, "unsupported_media_type")
    if content_type.endswith("\x80"):
        assert answer.status_code in (400, 415)
    else:
        assert (answer.status_code, answer.json()["code"]) == expected


async def test_upload__compressed_body__refused(strict: Running) -> None:
    answer = await _send(strict, b"x", HEADERS | {"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"garbage",
        _part("system"),
        f"--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\nContent-Disposition: attachment\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
        _part("system", headers="X: " + "y" * 5_000 + "\r\n"),
        _part("system", headers="".join(f"X-{i}: y\r\n" for i in range(20))),
        _part("system\0"),
        _part("prööf"),
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="../proof"\r\n\r\nx\r\n'.encode(),
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_upload__broken_form__refused(strict: Running, body: bytes) -> None:
    answer = await _send(strict, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_message")
    assert strict.spooled() == []


async def test_upload__long_header__refused(strict: Running) -> None:
    async with _connected(strict, _head("X: " + "y" * 1_000_000 + "\r\n")) as reader:
        async with asyncio.timeout(20):
            assert (await reader.read()).split()[1] in (b"400", b"413", b"431")


async def test_upload__client_falls_silent__given_up(strict: Running) -> None:
    async with _connected(strict, _head("Content-Length: 1000\r\n") + _part("proof")) as reader:
        status, problem = await _answer(reader)
    assert (status, problem["code"]) == (408, "timeout")
    assert strict.spooled() == []


@asynccontextmanager
async def _trickling(gateway: Running, said: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """An upload that goes on with a byte now and then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.gateway.port)
    writer.write(said)

    async def trickle() -> None:
        while True:
            writer.write(b"-")
            await writer.drain()
            await asyncio.sleep(0.1)

    trickling = asyncio.create_task(trickle())
    try:
        yield reader
    finally:
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)
        writer.close()


async def test_upload__one_byte_now_and_then__given_up(strict: Running) -> None:
    async with _trickling(strict, _head("Content-Length: 1000\r\n")) as reader:
        status, problem = await _answer(reader)
    assert (status, problem["code"]) in ((408, "timeout"), (400, "malformed_message"))


async def test_upload__slower_than_the_least_rate__given_up(brisk: Running) -> None:
    said = _head("Content-Length: 100000\r\n") + _part("proof").removesuffix(b"\r\n")
    async with _trickling(brisk, said) as reader:
        status, problem = await _answer(reader)
    assert (status, problem["code"]) == (408, "timeout")
    assert problem["detail"] == "less than 20000 bytes a second"
    assert brisk.spooled() == []


async def test_upload__faster_than_the_least_rate__taken(brisk: Running, user: Submitter) -> None:
    assert (await post(brisk.url, user.form(risc0(), 0))).status_code == 201


async def test_upload__client_goes_away_in_the_middle__nothing_is_left(strict: Running) -> None:
    async with _connected(strict, _head("Content-Length: 1000\r\n") + _part("proof")):
        await eventually(_as_check(lambda: len(strict.spooled()) == 1), lambda: "spooled")
    await eventually(_as_check(lambda: strict.spooled() == []), lambda: "cleaned")


async def test_upload__more_at_a_time_than_one_address_may__refused_and_then_taken_again(
    strict: Running, user: Submitter
) -> None:
    said = _head("Content-Length: 1000\r\n") + _part("proof")
    async with _connected(strict, said) as one, _connected(strict, said) as two:
        await eventually(_as_check(lambda: len(strict.spooled()) == 2), lambda: "spooled")
        refused = await post(strict.url, user.form(risc0(), 0))
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["retry-after"]) > 0
        await asyncio.gather(one.read(), two.read())
    assert (await post(strict.url, user.form(risc0(), 0))).status_code == 201


def _as_check(condition: Any) -> Any:
    async def check() -> bool:
        return bool(condition())

    return check
