"""Bounds of connections: counts, silence, clients that do not read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from aligned.storage.postgres import Database
from aligned.verifiers.pool import VerifierPool
from tests.integration.batcher.clients import HelloClient, ReferenceClient, User
from tests.integration.batcher.conftest import Running, eventually, running_batcher
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.proofs import small


async def test_connections__more_than_one_ip_may_have__refused_until_one_ends(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    async with running_batcher(db, chain, pool, tmp_path, max_connections_per_ip=2) as batcher:
        async with HelloClient(batcher.url), HelloClient(batcher.url):
            with pytest.raises(InvalidStatus) as caught:
                await connect(batcher.url)
            assert caught.value.response.status_code == 429
            assert (await batcher.get("/healthz")).status_code == 200

        async def free_again() -> bool:
            return "aligned_batcher_connections 0.0" in await batcher.metrics()

        await eventually(free_again)
        async with HelloClient(batcher.url):
            pass


async def test_connections__more_than_all_may_have__refused(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    async with (
        running_batcher(db, chain, pool, tmp_path, max_connections=1) as batcher,
        HelloClient(batcher.url),
    ):
        with pytest.raises(InvalidStatus) as caught:
            await connect(batcher.url)
        assert caught.value.response.status_code == 503


async def test_silence__no_first_message__connection_ends(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    async with (
        running_batcher(db, chain, pool, tmp_path, first_message_timeout_s=0.2) as batcher,
        ReferenceClient(batcher.url) as client,
    ):
        with pytest.raises(ConnectionClosed) as caught:
            await client.read()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008


async def test_silence__client_waits_for_its_proof__connection_stays(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path
) -> None:
    chain.mines_itself = False
    async with (
        running_batcher(db, chain, pool, tmp_path, idle_timeout_s=0.2) as batcher,
        HelloClient(batcher.url) as client,
    ):
        chain.set_market(gas_price_wei=10**9)
        await client.send(user.message(small(), 0))
        await client.next("Receipt")
        await asyncio.sleep(0.6)
        chain.mine(3)
        await client.next("BatchInclusionData")


async def test_pending__more_than_a_connection_may_wait_for__busy(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path
) -> None:
    async with (
        running_batcher(db, chain, pool, tmp_path, max_pending=1) as batcher,
        HelloClient(batcher.url) as client,
    ):
        chain.mines_itself = False
        await client.send(user.message(small(0), 0))
        await client.next("Receipt")
        await client.send(user.message(small(1), 1))
        assert (await client.next("Rejected"))["code"] == "server_busy"


async def test_pipeline__many_messages_at_once__all_accepted_in_order(batcher: Running, user: User) -> None:
    count = 60
    async with HelloClient(batcher.url) as client:
        for nonce in range(count):
            await client.send(user.message(small(nonce), nonce, arrays=False))
        nonces = [(await client.next("Receipt"))["nonce"] for _ in range(count)]
    assert nonces == list(range(count))


async def test_hello__twice_or_of_another_version__refused(batcher: Running) -> None:
    async with HelloClient(batcher.url) as client:
        assert await client.code({"Hello": {"version": 1, "client": "again"}}) == "malformed_message"
    async with ReferenceClient(batcher.url) as client:
        reply = await client.ask({"Hello": {"version": 2, "client": "new"}})
        assert "speaks 1" in reply["Rejected"]["message"]


async def test_chain__silent__refused_as_unavailable_and_not_ready(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path
) -> None:
    from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError

    async with running_batcher(db, chain, pool, tmp_path, market_max_age_s=0.5) as batcher:
        async with HelloClient(batcher.url) as client:
            failure = DependencyError(CHAIN_UNAVAILABLE, "no endpoint answers")

            async def fail(*_args: object) -> None:
                raise failure

            chain.market = fail  # type: ignore[method-assign,assignment]
            await asyncio.sleep(0.7)
            await client.send(user.message(small(), 0))
            rejected = await client.next("Rejected")
            assert (rejected["code"], rejected["retryable"]) == ("chain_unavailable", True)
            assert (await batcher.get("/readyz")).status_code == 503
        async with ReferenceClient(batcher.url) as reference:
            assert await reference.ask(user.message(small(), 0)) == "EthRpcError"
