"""Somebody who has not paid, or who paid once, tries to keep everybody else from submitting."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from aligned.clients import Client
from aligned.core.errors import ProtocolError
from aligned.gateway.gate import Gate
from aligned.storage.postgres import Database
from tests.integration.gateway.running import Running, gateway_settings, running_gateway
from tests.integration.gateway.sockets import answer, connected, head, part, texts, trickling
from tests.integration.gateway.submitter import Submitter, pay, post, risc0, sp1, submitter
from tests.integration.votes import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
ADDRESSES = ("127.0.0.10", "127.0.0.11", "127.0.0.12", "127.0.0.13")
STRANGER = submitter(990_001)
_numbers = itertools.count(60_000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def patient(db: Database, database_url: str, folder: Path) -> AsyncIterator[Running]:
    """A gateway with the default bounds that waits long for the texts: what it refuses, it refuses at once."""
    settings = gateway_settings(
        database_url, folder / "patient", upload_texts_s=600.0, upload_idle_s=600.0, upload_timeout_s=600.0
    )
    async with running_gateway(settings, db) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def payer(db: Database) -> Submitter:
    found = submitter(next(_numbers))
    await pay(db, found.address)
    return found


def file_first() -> bytes:
    """What an upload begins with that says last who pays."""
    return head(1_300_000) + part("proof", bytes(20_000)).removesuffix(b"\r\n")


def unpaid() -> bytes:
    """What an upload of somebody who never paid begins with; its signature is good from now on, not for ever."""
    return (
        head(1_300_000) + texts(STRANGER, sp1()) + part("proof", sp1().proof[:20_000]).removesuffix(b"\r\n")
    )


async def _attack(
    stack: AsyncExitStack, gateway: Running, said: bytes, sockets: int
) -> list[asyncio.StreamReader]:
    """So many uploads from four addresses, each going on with 2 kB every tenth of a second."""
    sources = itertools.islice(itertools.cycle(ADDRESSES), sockets)
    return [
        await stack.enter_async_context(trickling(gateway, said, bytes(2_000), source=source))
        for source in sources
    ]


@pytest.mark.parametrize(
    ("upload", "expected"),
    [(file_first, (400, "parts_out_of_order")), (unpaid, (402, "payment_required"))],
    ids=["file-first", "texts-first"],
)
async def test_upload__64_sockets_of_strangers__refused_at_once_and_a_payer_gets_in(
    patient: Running, payer: Submitter, upload: Callable[[], bytes], expected: tuple[int, str]
) -> None:
    async with AsyncExitStack() as stack:
        readers = await _attack(stack, patient, upload(), 64)
        assert (await post(patient.url, payer.form(risc0(), 0))).status_code == 201
        for status, problem in await asyncio.gather(*map(answer, readers)):
            assert (status, problem["code"]) == expected
    assert patient.gateway._gate.uploads.total == 0
    assert patient.spooled() == []


async def test_upload__64_sockets_that_never_say_who_pays__take_no_slot_of_a_payer(
    patient: Running, payer: Submitter
) -> None:
    gate = patient.gateway._gate
    async with AsyncExitStack() as stack:
        said = head(1_300_000) + texts(STRANGER, sp1())[:900]
        for source in itertools.islice(itertools.cycle(ADDRESSES), 64):
            await stack.enter_async_context(connected(patient, said, source))
        await eventually(_as_check(lambda: gate.arrivals.total == 64), lambda: str(gate.arrivals.total))
        assert gate.uploads.total == 0
        assert (await post(patient.url, payer.form(risc0(), 0))).status_code == 201
        refused = await _from(patient, ADDRESSES[0], payer.form(risc0("fib3_30_composite"), 1))
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    await eventually(_as_check(lambda: gate.arrivals.total == 0), lambda: str(gate.arrivals.total))


async def test_upload__slow_sockets_of_one_payer__leave_room_for_another(
    patient: Running, payer: Submitter, user: Submitter
) -> None:
    gate = patient.gateway._gate
    said = head(1_300_000) + texts(payer, sp1()) + part("proof", sp1().proof[:100]).removesuffix(b"\r\n")
    async with AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(connected(patient, said, source))
            for source in itertools.islice(itertools.cycle(ADDRESSES), 40)
        ]
        limit = patient.settings.gateway.max_uploads_per_account
        answers = [asyncio.create_task(answer(reader)) for reader in readers]
        refused = await _done(answers, 40 - limit)
        assert gate.uploads.total == limit
        assert {problem["code"] for _status, problem in refused} == {"rate_limited"}
        assert (await post(patient.url, user.form(risc0(), 0))).status_code == 201
        await _give_up(answers)
    await eventually(_as_check(lambda: gate.uploads.total == 0), lambda: str(gate.uploads.total))


async def test_upload__few_slots_left__an_account_that_has_none_still_gets_one(patient: Running) -> None:
    gate, slots = patient.gateway._gate, patient.settings.gateway.max_uploads
    client = Client("203.0.113.1")
    with ExitStack() as held:
        greedy = 0
        while gate.uploads.total < slots - 1:
            greedy += 1
            _take_all(held, gate, greedy)
        assert greedy >= 6, "each has half of what the others leave, at most"
        with gate.upload(b"new", client, 1):
            assert gate.uploads.total == slots


async def test_upload__slots_fill_up__least_rate_rises_to_sixteen_times(patient: Running) -> None:
    gate, own = patient.gateway._gate, patient.settings.gateway
    with ExitStack() as held:
        rates = {0: gate.least_bytes_per_s()}
        for number in range(own.max_uploads):
            held.enter_context(gate.upload(bytes([number]), Client(f"203.0.113.{number}"), 1))
            rates[number + 1] = gate.least_bytes_per_s()
    base = own.upload_min_bytes_per_s
    assert (rates[0], rates[own.max_uploads // 2], rates[own.max_uploads]) == (base, base, 16 * base)
    assert sorted(rates.values()) == list(rates.values())


def _take_all(held: ExitStack, gate: Gate, account: int) -> None:
    """All slots that one account can get, however many addresses it comes from."""
    with suppress(ProtocolError):
        for address in itertools.count():
            client = Client(f"198.51.{account}.{address}")
            held.enter_context(gate.upload(bytes([account]), client, 1))


async def _done(answers: list[asyncio.Task[tuple[int, Any]]], count: int) -> list[tuple[int, Any]]:
    """The first answers that come."""
    await eventually(
        _as_check(lambda: sum(each.done() for each in answers) == count),
        lambda: f"{sum(each.done() for each in answers)} answers",
    )
    return [each.result() for each in answers if each.done()]


async def _give_up(answers: list[asyncio.Task[tuple[int, Any]]]) -> None:
    for each in answers:
        each.cancel()
    await asyncio.gather(*answers, return_exceptions=True)


async def _from(gateway: Running, source: str, form: dict[str, Any]) -> httpx.Response:
    transport = httpx.AsyncHTTPTransport(local_address=source)
    async with httpx.AsyncClient(transport=transport, timeout=60) as http:
        return await http.post(f"{gateway.url}/v1/proofs", **form)


def _as_check(condition: Callable[[], bool]) -> Callable[[], Coroutine[Any, Any, bool]]:
    async def check() -> bool:
        return condition()

    return check
