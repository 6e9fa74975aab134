"""Bodies that are too large, too slow, of the wrong type, broken off, or too many: real sockets."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from aligned.storage.postgres import Database
from aligned.wire.gateway import FILE_PARTS, TEXT_PARTS
from tests.integration.gateway.running import Running, gateway_settings, running_gateway
from tests.integration.gateway.sockets import (
    BOUNDARY,
    CONTENT_TYPE,
    END,
    answer,
    connected,
    head,
    part,
    texts,
    trickling,
)
from tests.integration.gateway.submitter import Submitter, pay, post, risc0, submitter
from tests.integration.votes import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
HEADERS = {"content-type": CONTENT_TYPE}
_numbers = itertools.count(50_000)


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


@pytest_asyncio.fixture(loop_scope="module")
async def others(db: Database) -> list[Submitter]:
    """Two more accounts that have paid."""
    found = [submitter(next(_numbers)) for _ in range(2)]
    for each in found:
        await pay(db, each.address)
    return found


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


def _pieces(user: Submitter, size: int, piece: int = 65_536) -> Iterator[bytes]:
    """A proof part that does not end."""
    yield texts(user, risc0()) + part("proof", risc0().proof[:4]).removesuffix(b"\r\n")
    for _ in range(size // piece):
        yield b"\xff" * piece


async def _send(gateway: Running, content: Any, headers: dict[str, str] = HEADERS) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        return await http.post(f"{gateway.url}/v1/proofs", content=content, headers=headers)


async def _async(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_upload__announced_too_large__refused_before_it_is_sent(strict: Running) -> None:
    async with connected(strict, head(999999999999)) as reader:
        status, problem = await answer(reader)
    assert (status, problem["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("announced", ["1" * 30, "9" * 18])
async def test_upload__absurd_length__refused(strict: Running, announced: str) -> None:
    async with connected(strict, head(announced)) as reader:
        async with asyncio.timeout(20):
            status = int((await reader.read()).split()[1])
    assert status in (400, 413)


async def test_upload__not_announced_and_too_large__refused_while_it_comes(
    strict: Running, user: Submitter
) -> None:
    got = await _send(strict, _async(_pieces(user, 2_000_000)))
    assert (got.status_code, got.json()["code"]) == (413, "body_too_large")
    assert strict.spooled() == []


async def test_upload__many_small_parts_beyond_the_limit__refused(strict: Running) -> None:
    body = b"".join(part(name) for name in ("system", "nonce", "deadline", "signature", "address", "extra"))
    got = await _send(strict, body)
    assert (got.status_code, got.json()["code"]) == (400, "malformed_message")


@pytest.mark.parametrize(
    ("name", "size"), [("proof", 300_001), ("key", 1_025), ("public_inputs", 101), ("nonce", 257)]
)
async def test_upload__part_too_large__refused(
    strict: Running, user: Submitter, name: str, size: int
) -> None:
    before = texts(user, risc0()) if name in FILE_PARTS else b""
    got = await _send(strict, before + part(name, risc0().proof[:4] + bytes(size - 4)) + END)
    assert (got.status_code, got.json()["code"]) == (413, "body_too_large")
    assert got.json()["part"] == name


async def test_upload__part_at_its_limit__is_not_too_large(strict: Running, user: Submitter) -> None:
    proof = risc0().proof[:4] + bytes(299_996)
    got = await _send(strict, texts(user, risc0()) + part("proof", proof) + END)
    assert (got.status_code, got.json()["code"]) == (400, "malformed_message")


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
        got = await http.post(f"{strict.url}/v1/proofs", content=b'{"system": "sp1"}', headers=headers)
    expected = (415, "unsupported_media_type")
    if content_type.endswith("\x80"):
        assert got.status_code in (400, 415)
    else:
        assert (got.status_code, got.json()["code"]) == expected


async def test_upload__compressed_body__refused(strict: Running) -> None:
    got = await _send(strict, b"x", HEADERS | {"content-encoding": "gzip"})
    assert (got.status_code, got.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"garbage",
        part("system"),
        f"--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\nContent-Disposition: attachment\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
        part("system", headers="X: " + "y" * 5_000 + "\r\n"),
        part("system", headers="".join(f"X-{i}: y\r\n" for i in range(20))),
        part("system\0"),
        part("prööf"),
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="../proof"\r\n\r\nx\r\n'.encode(),
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_upload__broken_form__refused(strict: Running, body: bytes) -> None:
    got = await _send(strict, body)
    assert (got.status_code, got.json()["code"]) == (400, "malformed_message")
    assert strict.spooled() == []


async def test_upload__long_header__refused(strict: Running) -> None:
    async with connected(strict, head(1, X="y" * 1_000_000)) as reader:
        async with asyncio.timeout(20):
            assert (await reader.read()).split()[1] in (b"400", b"413", b"431")


async def test_upload__client_falls_silent__given_up(strict: Running, user: Submitter) -> None:
    async with connected(strict, head(5_000) + texts(user, risc0()) + part("key", risc0().key)) as reader:
        status, problem = await answer(reader)
    assert (status, problem["code"]) == (408, "timeout")
    assert strict.spooled() == []


async def test_upload__one_byte_now_and_then__given_up(strict: Running) -> None:
    async with trickling(strict, head(1000)) as reader:
        status, problem = await answer(reader)
    assert (status, problem["code"]) in ((408, "timeout"), (400, "malformed_message"))


async def test_upload__slower_than_the_least_rate__given_up(brisk: Running, user: Submitter) -> None:
    said = head(100_000) + texts(user, risc0()) + part("proof", risc0().proof[:4]).removesuffix(b"\r\n")
    async with trickling(brisk, said) as reader:
        status, problem = await answer(reader)
    assert (status, problem["code"]) == (408, "timeout")
    assert problem["detail"] == "less than 20000 bytes a second"
    assert brisk.spooled() == []


async def test_upload__faster_than_the_least_rate__taken(brisk: Running, user: Submitter) -> None:
    assert (await post(brisk.url, user.form(risc0(), 0))).status_code == 201


async def test_upload__client_goes_away_in_the_middle__nothing_is_left(
    strict: Running, user: Submitter
) -> None:
    async with connected(strict, head(5_000) + texts(user, risc0()) + part("key", risc0().key)):
        await eventually(_as_check(lambda: len(strict.spooled()) == 1), lambda: "spooled")
    await eventually(_as_check(lambda: strict.spooled() == []), lambda: "cleaned")


async def test_upload__more_at_a_time_than_one_address_may__refused_and_then_taken_again(
    strict: Running, user: Submitter, others: list[Submitter]
) -> None:
    one, two = (head(5_000) + texts(each, risc0()) + part("key", risc0().key) for each in others)
    async with connected(strict, one) as first, connected(strict, two) as second:
        await eventually(_as_check(lambda: len(strict.spooled()) == 2), lambda: "spooled")
        refused = await post(strict.url, user.form(risc0(), 0))
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["retry-after"]) > 0
        await asyncio.gather(first.read(), second.read())
    assert (await post(strict.url, user.form(risc0(), 0))).status_code == 201


@pytest.mark.parametrize("late", [*TEXT_PARTS])
async def test_upload__text_behind_a_file__refused_with_the_order(
    strict: Running, user: Submitter, late: str
) -> None:
    form = user.form(risc0(), 0)
    fields = form["data"] | {"address": user.hex}
    before = b"".join(part(name, text.encode()) for name, text in fields.items() if name != late)
    files = b"".join(part(name, data) for name, (_file, data) in form["files"].items())
    refused = await _send(strict, before + files + part(late, fields[late].encode()) + END)
    assert (refused.status_code, refused.json()["code"]) == (400, "parts_out_of_order")
    assert f"texts first ({', '.join(TEXT_PARTS)})" in refused.json()["detail"]
    assert (await strict.quota(user), await strict.nonce(user), strict.spooled()) == (10, 0, [])


async def test_upload__files_in_any_order__taken(strict: Running, user: Submitter) -> None:
    for nonce, order in enumerate((FILE_PARTS, FILE_PARTS[::-1])):
        form = user.form((risc0(), risc0("fib3_30_composite"))[nonce], nonce)
        form["files"] = {name: form["files"][name] for name in order}
        assert (await post(strict.url, form)).status_code == 201


async def test_upload__client_waits_for_100_continue__refused_before_it_sends(strict: Running) -> None:
    async with connected(strict, head(999_999_999, Expect="100-continue")) as reader:
        status, problem = await answer(reader)
    assert (status, problem["code"]) == (413, "body_too_large")


async def test_upload__client_waits_for_100_continue__is_told_to_go_on(
    strict: Running, user: Submitter
) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        headers = {"Expect": "100-continue"}
        taken = await http.post(f"{strict.url}/v1/proofs", **user.form(risc0(), 0), headers=headers)
    assert taken.status_code == 201


def _as_check(condition: Any) -> Any:
    async def check() -> bool:
        return bool(condition())

    return check
