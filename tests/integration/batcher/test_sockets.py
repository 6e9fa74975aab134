"""Clients that cost memory, time or places without ever sending a message."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import cbor2
import pytest

from aligned.batcher import http
from aligned.batcher.model import Account
from aligned.core.types import VerificationData
from aligned.storage.postgres import Database
from aligned.verifiers.base import Verdict
from aligned.verifiers.pool import VerifierPool
from tests.integration.batcher.clients import HelloClient, ReferenceClient, User
from tests.integration.batcher.conftest import Running, eventually, running_batcher
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.helpers import hold_blocks
from tests.integration.batcher.proofs import small
from tests.integration.batcher.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, RawClient, frame


async def test_fragments__without_end_and_without_a_byte__connection_ends(batcher: Running) -> None:
    async with RawClient(batcher.port) as client:
        await client.send(frame(BINARY, fin=False))
        await client.send(frame(CONTINUATION, fin=False) * 20_000)
        assert await client.close_code() in (1008, 1006)
    assert (await batcher.get("/healthz")).status_code == 200


async def test_fragments__message_in_a_few_hundred_pieces__is_read(batcher: Running, user: User) -> None:
    message = cbor2.dumps(user.message(small(), 0))
    pieces = [message[i : i + 4] for i in range(0, len(message), 4)]
    assert 100 < len(pieces) < 1_000
    async with RawClient(batcher.port) as client:
        for number, piece in enumerate(pieces):
            opcode = CONTINUATION if number else BINARY
            await client.send(frame(opcode, piece, fin=number == len(pieces) - 1))
        assert cbor2.loads((await client.read())[1]) == "Valid"


async def test_pings__flood__connection_ends(batcher: Running) -> None:
    async with RawClient(batcher.port) as client:
        await client.send(frame(PING, bytes(125)) * 20_000)
        assert await client.close_code() in (1008, 1006)
    async with RawClient(batcher.port) as client:
        await client.send(frame(PING, b"?") * 5)
        assert [(await client.read())[1] for _ in range(5)] == [b"?"] * 5


async def test_message__never_complete__connection_ends_in_time(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    async with running_batcher(db, chain, pool, tmp_path, message_timeout_s=0.3) as batcher:
        for beginning in (frame(BINARY, bytes(1_000))[:-1], frame(BINARY, b"x", fin=False), b"\x82"):
            async with RawClient(batcher.port) as client:
                await client.send(beginning)
                assert await client.close_code() == 1008


async def test_bytes__many_incomplete_messages_of_one_address__some_are_sent_away(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path
) -> None:
    async with (
        running_batcher(db, chain, pool, tmp_path, max_proof_bytes=200_000) as batcher,
        AsyncExitStack() as stack,
    ):
        clients = [await stack.enter_async_context(RawClient(batcher.port)) for _ in range(12)]
        for client in clients:
            await client.send(frame(BINARY, bytes(400_000))[:-1])
        ends = [asyncio.create_task(client.close_code(5)) for client in clients]
        await asyncio.wait(ends, timeout=3)
        refused = [end for end in ends if end.done()]
        assert 0 < len(refused) < 12
        assert all(end.result() in (1013, 1006) for end in refused)
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        await stack.aclose()
        async with HelloClient(batcher.url) as after:
            await after.send(user.message(small(), 0))
            await after.next("BatchInclusionData")


async def test_sockets__half_open_ones_of_one_address__limited_and_freed_in_time(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    limits = {"max_connections_per_ip": 2, "handshake_timeout_s": 0.5}
    async with running_batcher(db, chain, pool, tmp_path, **limits) as batcher:
        await eventually(lambda: _can_enter(batcher.port))
        streams = [await asyncio.open_connection("127.0.0.1", batcher.port) for _ in range(9)]
        for _, writer in streams:
            writer.write(b"GET / HTTP/1.1\r\n")
        reads = [asyncio.create_task(reader.read()) for reader, _ in streams]
        done, _ = await asyncio.wait(reads, timeout=0.2)
        assert len(done) == 5, "nine sockets, of which four may stay"
        await asyncio.wait(reads)
        for _, writer in streams:
            writer.close()
        assert (await batcher.get("/healthz")).status_code == 200


async def _can_enter(port: int) -> bool:
    async with RawClient(port):
        return True


async def test_page__chain_does_not_answer__unavailable_in_time(
    batcher: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_address: bytes) -> Account:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(http, "_PAGE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(batcher.chain, "account", hang)
    response = await batcher.get(f"/v1/nonce/0x{'00' * 20}")
    assert (response.status_code, response.json()["code"]) == (503, "timeout")


async def test_readyz__no_verifier_runs__not_ready(
    batcher: Running, pool: VerifierPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_running", 0)
    assert (await batcher.get("/readyz")).status_code == 503


@pytest.mark.parametrize("pause_s", [0.4, 3.0])
async def test_news__while_a_v010_client_uploads_slowly__after_the_reply(
    batcher: Running, user: User, pause_s: float
) -> None:
    """The client would take the news for the reply to the message that it is sending."""
    await hold_blocks(batcher)
    upload = frame(BINARY, cbor2.dumps(user.message(small(1), 1)))
    pieces = 10 if pause_s < 1 else 2
    async with ReferenceClient(batcher.url) as client:
        assert await client.ask(user.message(small(0), 0)) == "Valid"
        batcher.chain.mine(3)
        for i in range(pieces):
            part = upload[i * len(upload) // pieces : (i + 1) * len(upload) // pieces]
            client.socket.transport.write(part)
            await asyncio.sleep(pause_s)
        assert batcher.chain.sent
        assert await client.read() == "Valid"
        batcher.chain.mine(3)
        await client.inclusions([small(0), small(1)])


async def test_pipeline__more_than_may_be_unanswered__told_once_and_kept_alive(
    db: Database,
    chain: FakeChain,
    pool: VerifierPool,
    user: User,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its pongs stand behind messages that are not read yet."""
    release, verify = asyncio.Event(), pool.verify

    async def slow(data: VerificationData, lane: object = None) -> Verdict:
        await release.wait()
        return await verify(data, lane)

    monkeypatch.setattr(pool, "verify", slow)
    limits = {"max_unanswered": 2, "ping_interval_s": 0.5}
    async with (
        running_batcher(db, chain, pool, tmp_path, **limits) as batcher,
        RawClient(batcher.port) as client,
    ):
        messages = [{"Hello": {"version": 1, "client": "fast"}}]
        messages += [user.message(small(nonce), nonce) for nonce in range(6)]
        await client.send(b"".join(frame(BINARY, cbor2.dumps(message)) for message in messages))
        ended = asyncio.create_task(_data_until(client, "Receipt", 6))
        await asyncio.wait((ended,), timeout=3.0)  # six pings
        assert not ended.done()
        release.set()
        kinds = [next(iter(message)) for message in await asyncio.wait_for(ended, 30)]
    assert [kind for kind in kinds if kind in ("HelloAck", "Notice", "Receipt")] == [
        "HelloAck",
        "Notice",
        *["Receipt"] * 6,
    ]


async def _data_until(client: RawClient, kind: str, count: int) -> list[dict[str, object]]:
    """Everything up to the `count`-th message of a kind; pings are answered, behind what was sent before."""
    messages: list[dict[str, object]] = []
    while sum(kind in message for message in messages) < count:
        opcode, payload = await client.read()
        assert opcode != CLOSE, payload
        if opcode == PING:
            await client.send(frame(PONG, payload))
        elif opcode == BINARY:
            messages.append(cbor2.loads(payload))
    return messages


async def test_pings__not_answered_and_nothing_sent__connection_ends(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    async with (
        running_batcher(db, chain, pool, tmp_path, ping_interval_s=0.1) as batcher,
        RawClient(batcher.port) as client,
    ):
        assert await client.close_code() == 1011
