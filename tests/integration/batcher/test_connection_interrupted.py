"""A client's connection is broken off, or its client hangs up, at each of its awaits: nothing of it is left."""

from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace
from typing import Any, cast

import cbor2
import pytest
from websockets.exceptions import ConnectionClosedOK

from aligned.batcher.accounts import AccountBook
from aligned.batcher.budget import ByteBudget
from aligned.batcher.client_socket import ClientSocket
from aligned.batcher.connection import ClientConnection, ConnectionLimits, Services
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.questions import Questions
from aligned.batcher.subscriptions import Subscriptions
from aligned.clients import Client
from aligned.storage.postgres import Database
from aligned.wire.batcher_replies import ServerLimits
from tests.integration.batcher.clients import CHAIN_ID, PAYMENT_SERVICE, User
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.proofs import small
from tests.integration.batcher.test_admission_interrupted import Process, funded, locks
from tests.outside.awaits import Run, at_each_await, cancel_at
from tests.outside.statements import watched_statements

HELLO = cbor2.dumps({"Hello": {"version": 1, "client": "test"}})
TERMS = ServerLimits(CHAIN_ID, PAYMENT_SERVICE, bytes(20), 1 << 20, 1 << 20, 8, 1)
_CLEAN_UP_S = 30.0


class Socket:
    """What a connection needs of a socket; its client leaves when it has heard `hears` frames, or hangs up before."""

    def __init__(self, frames: list[bytes], hears: int) -> None:
        self.client, self.is_receiving = Client("192.0.2.1"), False
        self.received_at = asyncio.get_running_loop().time()
        self.transport = SimpleNamespace(abort=self.hang_up)
        self.answer_oversize: object = None
        self.sent: list[bytes] = []
        self.taken_bytes = 0
        self._frames, self._hears, self._gone = deque(frames), hears, asyncio.Event()

    def hang_up(self) -> None:
        self._gone.set()

    def taken(self, size_bytes: int) -> None:
        self.taken_bytes += size_bytes

    async def recv(self, decode: bool | None = None) -> bytes:
        await asyncio.sleep(0)
        if self._frames and not self._gone.is_set():
            return self._frames.popleft()
        await self._gone.wait()
        raise ConnectionClosedOK(None, None)

    async def send(self, frame: bytes) -> None:
        await asyncio.sleep(0)
        if self._gone.is_set():
            raise ConnectionClosedOK(None, None)
        self.sent.append(frame)
        if len(self.sent) == self._hears:
            self.hang_up()

    async def close(self, *_reason: object) -> None:
        self.hang_up()


class Desk:
    """One batcher process, and what its connections share."""

    def __init__(self, db: Database, chain: FakeChain) -> None:
        self.process = Process(db, chain)
        self.subscriptions = Subscriptions(PAYMENT_SERVICE)
        self.budget = ByteBudget(1 << 20, 1 << 20)
        entry, book = self.process.entry, AccountBook(chain, self.process.market.latest_block)
        self.services = Services(
            entry=entry,
            admission=self.process.admission,
            subscriptions=self.subscriptions,
            market=self.process.market,
            metrics=BatcherMetrics(),
            budget=self.budget,
            questions=Questions(db, book, entry),
            terms=lambda: TERMS,
            limits=ConnectionLimits(1 << 20, 4, 100, 60.0, 60.0),
        )

    def connection(self, socket: Socket) -> ClientConnection:
        return ClientConnection(cast(ClientSocket, socket), self.services)

    async def check_nothing_left(self, before: set[asyncio.Task[Any]]) -> None:
        """Also none of the tasks, of which some end by themselves a moment later."""
        left = {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()}
        if left:
            _done, left = await asyncio.wait(left, timeout=_CLEAN_UP_S)
        assert not left
        assert self.process.is_idle()
        assert not self.budget._used
        assert not self.subscriptions._pending
        assert not self.subscriptions._by_proof


@pytest.fixture
async def desk(db: Database, chain: FakeChain) -> Desk:
    desk = Desk(db, chain)
    await desk.process.market.refresh()
    return desk


def frames_of(user: User, *, pipelined: bool) -> tuple[list[bytes], int]:
    """Two proofs, and how many frames their client hears until both are answered."""
    proofs = [cbor2.dumps(user.message(small(nonce), nonce)) for nonce in range(2)]
    return ([HELLO, *proofs], 4) if pipelined else (proofs, 3)


async def check_again(desk: Desk, db: Database, user: User) -> None:
    """The same messages on another connection are taken, whatever became of the first."""
    before = asyncio.all_tasks()
    frames, hears = frames_of(user, pipelined=False)
    socket = Socket(frames, hears)
    async with asyncio.timeout(_CLEAN_UP_S):
        await desk.connection(socket).run()
    assert [cbor2.loads(frame) for frame in socket.sent[1:]] == ["Valid", "Valid"]
    await desk.check_nothing_left(before)
    assert await locks(db) == 0


@pytest.mark.parametrize("pipelined", [False, True], ids=["one after the other", "pipelined"])
async def test_connection__cancelled_at_each_await__nothing_of_it_is_left(
    desk: Desk, db: Database, chain: FakeChain, pipelined: bool
) -> None:
    user = funded(chain)
    before: set[asyncio.Task[Any]] = set()

    async def one(number: int) -> Run:
        nonlocal user, before
        user, before = funded(chain), asyncio.all_tasks()
        socket = Socket(*frames_of(user, pipelined=pipelined))
        return await cancel_at(lambda: desk.connection(socket).run(), number)

    async def check(_number: int, run: Run) -> None:
        assert run.error is None
        await desk.check_nothing_left(before)
        await check_again(desk, db, user)

    assert await at_each_await(one, check) > 4


@pytest.mark.parametrize("pipelined", [False, True], ids=["one after the other", "pipelined"])
async def test_connection__client_hangs_up_before_each_statement__nothing_of_it_is_left(
    desk: Desk, db: Database, chain: FakeChain, pipelined: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = 0
    while True:
        number += 1
        user, before = funded(chain), asyncio.all_tasks()
        socket = Socket(*frames_of(user, pipelined=pipelined))

        async def hang_up(socket: Socket = socket) -> None:
            socket.hang_up()
            # Long enough for the connection to see it, and to break off what is in work.
            for _ in range(5):
                await asyncio.sleep(0)

        with watched_statements(monkeypatch) as statements:
            statements.before("", number, hang_up)
            async with asyncio.timeout(_CLEAN_UP_S):
                await desk.connection(socket).run()
            reached = len(statements.sent) >= number
        await desk.check_nothing_left(before)
        await check_again(desk, db, user)
        if not reached:
            break
    assert number > 10


async def test_outbox__client_that_reads_nothing__connection_ends_and_nothing_is_left(
    desk: Desk, db: Database, chain: FakeChain
) -> None:
    """More frames wait for it than are kept: the socket is dropped."""
    before, user = asyncio.all_tasks(), funded(chain)
    socket = Socket(*frames_of(user, pipelined=True))
    connection = desk.connection(socket)
    for _ in range(20_001):
        connection.post(b"news")
    async with asyncio.timeout(_CLEAN_UP_S):
        await connection.run()
    await desk.check_nothing_left(before)
    await check_again(desk, db, user)
