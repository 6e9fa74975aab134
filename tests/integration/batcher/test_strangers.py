"""Strangers who cost the batcher its verifiers, its database or its chain endpoint, and clients behind proxies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from aligned.batcher import http, queue
from aligned.batcher.model import Account
from aligned.batcher.rules import QueueTotals
from aligned.core.types import VerificationData
from aligned.storage.postgres import Connection, Database
from aligned.verifiers.base import Verdict
from aligned.verifiers.pool import VerifierPool
from tests.integration.batcher.clients import HelloClient, User
from tests.integration.batcher.conftest import Running, running_batcher
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.proofs import small

PROXY = {"trusted_proxies": ("127.0.0.1/32",)}


def wrong(salt: int = 0) -> VerificationData:
    return replace(small(salt), pub_input=b"something else")


@pytest.fixture
def verifications(pool: VerifierPool, monkeypatch: pytest.MonkeyPatch) -> list[VerificationData]:
    """Everything that a verifier is given."""
    verified: list[VerificationData] = []
    verify = pool.verify

    async def counted(data: VerificationData, lane: object = None) -> Verdict:
        verified.append(data)
        return await verify(data, lane)

    monkeypatch.setattr(pool, "verify", counted)
    return verified


@pytest.fixture
def accounts_read(chain: FakeChain) -> list[bytes]:
    """Every account that the chain is asked for."""
    asked: list[bytes] = []
    account: Callable[[bytes], object] = chain.account

    async def counted(address: bytes) -> Account:
        asked.append(address)
        return await account(address)  # type: ignore[misc,no-any-return]

    chain.account = counted  # type: ignore[method-assign]
    return asked


async def test_invalid_proofs__of_one_account__the_second_costs_no_verifier(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path,
    verifications: list[VerificationData],
) -> None:  # fmt: skip
    async with running_batcher(db, chain, pool, tmp_path, invalid_free=0, invalid_pause_s=300.0) as batcher:
        async with HelloClient(batcher.url) as client:
            assert await client.code(user.message(wrong(), 0)) == "public_input_mismatch"
        async with HelloClient(batcher.url) as client:
            reply = (await client.ask(user.message(wrong(1), 0)))["Rejected"]
        assert (reply["code"], reply["retryable"]) == ("paused_after_invalid_proofs", True)
        assert 0 < reply["retry_after_s"] <= 300
        assert len(verifications) == 1
        other = User(0xB0B)
        chain.fund(other.address)
        async with HelloClient(batcher.url) as client:
            assert "Receipt" in await client.ask(other.message(small(), 0))


async def test_invalid_proofs__many_pipelined_by_one_account__few_are_verified(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path,
    verifications: list[VerificationData],
) -> None:  # fmt: skip
    async with (
        running_batcher(db, chain, pool, tmp_path, invalid_free=0, invalid_pause_s=300.0) as batcher,
        HelloClient(batcher.url) as client,
    ):
        for nonce in range(30):
            await client.send(user.message(wrong(nonce), nonce, arrays=False))
        for _ in range(30):
            await client.next("Rejected")
        assert len(verifications) <= 4


async def test_invalid_proofs__new_account_for_each__the_address_waits(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path,
    verifications: list[VerificationData],
) -> None:  # fmt: skip
    async with (
        running_batcher(db, chain, pool, tmp_path, invalid_pause_s=30.0) as batcher,
        HelloClient(batcher.url) as client,
    ):
        await client.send(user.message(small(), 0))
        await client.next("Receipt")
        codes = []
        for number in range(1, 16):
            sybil = User(number)
            chain.fund(sybil.address)
            await client.send(sybil.message(wrong(number), 0))
            codes.append((await client.next("Rejected"))["code"])
        assert codes == ["public_input_mismatch"] * 9 + ["paused_after_invalid_proofs"] * 6
        assert len(verifications) == 10
        await client.send(user.message(small(1), 1))
        assert (await client.next("Receipt"))["nonce"] == 1, "who has shown a good proof does not wait"


async def test_strangers__keys_without_end__the_chain_is_asked_for_a_few(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path,
    accounts_read: list[bytes],
) -> None:  # fmt: skip
    limits = {"stranger_messages_per_s": 0.001, "stranger_message_burst": 5}
    async with running_batcher(db, chain, pool, tmp_path, **limits) as batcher:
        async with HelloClient(batcher.url) as client:
            assert "Receipt" in await client.ask(user.message(small(), 0))
            codes = [await client.code(User(number).message(small(), 0)) for number in range(1, 20)]
            assert codes == ["insufficient_balance"] * 4 + ["rate_limited"] * 15
        pages = [await batcher.get(f"/v1/nonce/0x{number:040x}") for number in range(5)]
        assert {page.status_code for page in pages} == {429}
        assert all(int(page.headers["retry-after"]) > 0 for page in pages)
        assert len({*accounts_read}) == 5


async def test_strangers__wrong_chain_or_signature__chain_not_asked(
    batcher: Running, user: User, accounts_read: list[bytes]
) -> None:
    async with HelloClient(batcher.url) as client:
        assert await client.code(user.message(small(), 0, chain_id=5)) == "invalid_chain_id"
        forged = user.message(small(), 0)
        forged["signature"]["v"] = 1
        assert await client.code(forged) == "invalid_signature"
    assert accounts_read == []


async def test_pages__flood__refused_with_the_time_to_wait_health_goes_on(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    async with running_batcher(db, chain, pool, tmp_path, pages_per_s=0.001, page_burst=3) as batcher:
        codes = [(await batcher.get("/v1/quote")).status_code for _ in range(5)]
        assert codes == [200, 200, 200, 429, 429]
        assert (await batcher.get("/v1/quote")).json()["code"] == "rate_limited"
        assert (await batcher.get("/healthz")).status_code == 200
        assert (await batcher.get("/readyz")).status_code == 200


async def test_handshakes__flood__refused(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    limits = {"handshakes_per_s": 0.001, "handshake_burst": 2}
    async with running_batcher(db, chain, pool, tmp_path, **limits) as batcher:
        for _ in range(2):
            async with HelloClient(batcher.url):
                pass
        with pytest.raises(InvalidStatus) as caught:
            await connect(batcher.url)
        assert caught.value.response.status_code == 429
        assert "Retry-After" in caught.value.response.headers


async def test_messages__faster_than_the_rate__read_later_none_is_lost(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path
) -> None:
    limits = {"messages_per_s": 20.0, "message_burst": 2}
    async with (
        running_batcher(db, chain, pool, tmp_path, **limits) as batcher,
        HelloClient(batcher.url) as client,
    ):
        for nonce in range(8):
            await client.send(user.message(small(nonce), nonce, arrays=False))
        nonces = [(await client.next("Receipt"))["nonce"] for _ in range(8)]
    assert nonces == list(range(8))


async def test_metrics__on_the_public_port__not_there(batcher: Running) -> None:
    assert (await batcher.get("/metrics")).status_code == 404
    assert "aligned_batcher_connections" in await batcher.metrics()


async def test_quote__asked_without_end__the_database_is_asked_now_and_then(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, totals = 0, queue.totals

    async def counted(conn: Connection) -> QueueTotals:
        nonlocal reads
        reads += 1
        return await totals(conn)

    monkeypatch.setattr(queue, "totals", counted)
    monkeypatch.setattr(http, "_KEPT_S", 60.0)
    async with running_batcher(db, chain, pool, tmp_path) as batcher:
        for _ in range(30):
            assert (await batcher.get("/v1/quote")).status_code == 200
        assert reads < 10, "once, and what the metrics take"


async def open_as(stack: AsyncExitStack, batcher: Running, forwarded: str) -> int:
    """Opens a WebSocket as a proxy does for a client: 101, or the status of the refusal."""
    try:
        await stack.enter_async_context(
            connect(batcher.url, additional_headers={"X-Forwarded-For": forwarded})
        )
    except InvalidStatus as refused:
        return refused.response.status_code
    return 101


async def test_proxy__two_clients_behind_it__have_a_share_each(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    async with (
        running_batcher(db, chain, pool, tmp_path, max_connections_per_ip=2, **PROXY) as batcher,
        AsyncExitStack() as stack,
    ):
        for client in ("192.0.2.1", "192.0.2.2:5000", "[2001:db8::1]:443"):
            assert [await open_as(stack, batcher, client) for _ in range(3)] == [101, 101, 429]
        assert await open_as(stack, batcher, "192.0.2.9, 192.0.2.1") == 429


async def test_proxy__not_trusted__its_header_is_not_believed(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    async with (
        running_batcher(db, chain, pool, tmp_path, max_connections_per_ip=2) as batcher,
        AsyncExitStack() as stack,
    ):
        statuses = [await open_as(stack, batcher, f"192.0.2.{number}") for number in range(3)]
        assert statuses == [101, 101, 429]


async def test_proxy__pages_of_two_clients__limited_apart(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    limits = {"pages_per_s": 0.001, "page_burst": 2, "proxy_header": "forwarded", **PROXY}
    async with running_batcher(db, chain, pool, tmp_path, **limits) as batcher, httpx.AsyncClient() as http:
        url = f"http://127.0.0.1:{batcher.port}/v1/quote"
        for client in ('for="[2001:db8::1]:443";proto=https', "for=192.0.2.7"):
            headers = {"Forwarded": client}
            statuses = [(await http.get(url, headers=headers)).status_code for _ in range(3)]
            assert statuses == [200, 200, 429]


async def test_proxy__sockets_that_name_nobody__are_few_for_all_and_freed(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    limits = {"max_connections": 2, "handshake_timeout_s": 0.5, **PROXY}
    async with running_batcher(db, chain, pool, tmp_path, **limits) as batcher:
        silent = [await asyncio.open_connection("127.0.0.1", batcher.port) for _ in range(6)]
        reads = [asyncio.create_task(reader.read()) for reader, _ in silent]
        with suppress(ConnectionError):
            await asyncio.gather(*reads)
        for _, writer in silent:
            writer.close()
        assert (await batcher.get("/healthz")).status_code == 200
