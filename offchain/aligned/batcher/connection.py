"""One client on its WebSocket: reads messages, answers each, and passes on what becomes of accepted proofs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from websockets.exceptions import ConnectionClosed

from aligned.batcher import eviction
from aligned.batcher.admission import Admission, Admitted, Ticket
from aligned.batcher.budget import ByteBudget
from aligned.batcher.client_socket import ClientSocket
from aligned.batcher.market import MarketFeed
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.subscriptions import ProofKey, Subscriptions
from aligned.core.errors import (
    INTERNAL_ERROR,
    OUTBID,
    SERVER_BUSY,
    AlignedError,
    DependencyError,
    InvariantError,
    PaymentError,
)
from aligned.wire.batcher import Submission, decode_client_message
from aligned.wire.batcher_replies import (
    Dialect,
    HelloDialect,
    MessageRef,
    Receipt,
    ReferenceDialect,
    ServerLimits,
    encode_hello_ack,
    encode_protocol_version,
)
from aligned.wire.cbor import malformed

log = structlog.get_logger(__name__)
# A client that does not read what it is sent is dropped; what it misses is there over HTTP.
_MAX_UNSENT_FRAMES = 20_000
_POLICY_VIOLATION = 1008
# A v0.10 client takes whatever comes after its message for the reply to it. It sends the next message as soon as it has
# a reply, so news are kept back until it has been silent for so long. It matches news to proofs by the order of nonces.
_SILENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds of one connection (see the settings of the same names)."""

    max_message_bytes: int
    max_unanswered: int
    max_pending: int
    first_message_timeout_s: float
    idle_timeout_s: float


@dataclass(frozen=True, slots=True)
class Services:
    """What connections share."""

    admission: Admission
    subscriptions: Subscriptions
    market: MarketFeed
    metrics: BatcherMetrics
    budget: ByteBudget
    terms: Callable[[], ServerLimits]
    limits: ConnectionLimits


class ClientConnection:
    """Serves one client until it leaves or misbehaves."""

    def __init__(self, socket: ClientSocket, services: Services) -> None:
        self.dialect: Dialect = ReferenceDialect()
        self._socket = socket
        self._services = services
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue(_MAX_UNSENT_FRAMES)
        self._in_work = asyncio.Semaphore(services.limits.max_unanswered)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._active_at = self._loop.time()
        self._news: list[tuple[ProofKey, bytes]] = []
        self._news_timer: asyncio.TimerHandle | None = None

    def post(self, frame: bytes | None) -> None:
        """Queues a frame for sending."""
        if frame is None:
            return
        try:
            self._unsent.put_nowait(frame)
        except asyncio.QueueFull:
            self._socket.transport.abort()

    def tell(self, key: ProofKey, frame: bytes | None) -> None:
        """Passes on news about an accepted proof, when the client can take it."""
        if frame is None or isinstance(self.dialect, HelloDialect):
            self.post(frame)
            return
        self._news.append((key, frame))
        if self._news_timer is None:
            self._news_timer = self._loop.call_later(_SILENCE_S, self._tell_news)

    def _tell_news(self) -> None:
        silent_s = self._loop.time() - max(self._active_at, self._socket.received_at)
        if self._tasks or self._socket.is_receiving or silent_s < _SILENCE_S:
            wait_s = max(_SILENCE_S - silent_s, _SILENCE_S / 4)
            self._news_timer = self._loop.call_later(wait_s, self._tell_news)
            return
        self._news_timer = None
        self._news.sort(key=lambda item: item[0])
        news, self._news = self._news, []
        waits_for = self._services.subscriptions.first_pending(self)
        for key, frame in news:
            if key.nonce < waits_for.get(key.sender, key.nonce + 1):
                self.post(frame)
            else:
                self.tell(key, frame)

    async def run(self) -> None:
        """Serves the client."""
        self.post(encode_protocol_version())
        writer = asyncio.create_task(self._write())
        try:
            with suppress(ConnectionClosed):
                await self._read()
        finally:
            self._services.subscriptions.remove(self)
            if self._news_timer is not None:
                self._news_timer.cancel()
            for task in (writer, *self._tasks):
                task.cancel()
            await asyncio.gather(writer, *self._tasks, return_exceptions=True)

    async def _write(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                await self._socket.send(await self._unsent.get())

    async def _read(self) -> None:
        timeout_s = self._services.limits.first_message_timeout_s
        while True:
            try:
                frame = await asyncio.wait_for(self._socket.recv(decode=False), timeout_s)
            except TimeoutError:
                if self._is_waiting() or self._socket.is_receiving:
                    continue
                await self._socket.close(_POLICY_VIOLATION, "no message for too long")
                return
            timeout_s = self._services.limits.idle_timeout_s
            self._active_at = self._loop.time()
            await self._start(frame)

    def _is_waiting(self) -> bool:
        return bool(self._tasks or self._news) or self._services.subscriptions.pending(self) > 0

    async def _start(self, frame: bytes) -> None:
        """Takes a message on; returns once the next one may be read."""
        budget, size_bytes = self._services.budget, len(frame)
        await budget.acquire(self._socket.ip, size_bytes)
        self._socket.taken(size_bytes)
        message = self._decode(frame)
        if message is None:
            budget.release(self._socket.ip, size_bytes)
            return
        await self._in_work.acquire()
        ticket = Ticket(message)
        task = asyncio.create_task(self._submit(ticket))
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, size_bytes))
        await self._until_next(task, ticket)

    async def _until_next(self, task: asyncio.Task[None], ticket: Ticket) -> None:
        """Clients that said hello may have several proofs in work; others get one answer after the other."""
        if not isinstance(self.dialect, HelloDialect):
            await asyncio.wait((task,))
            return
        reserved = asyncio.create_task(ticket.reserved.wait())
        await asyncio.wait((task, reserved), return_when=asyncio.FIRST_COMPLETED)
        reserved.cancel()

    def _decode(self, frame: bytes) -> Submission | None:
        """The submission in a frame; everything else is answered here."""
        try:
            message = decode_client_message(frame, self._services.limits.max_message_bytes)
            if isinstance(message, Submission):
                return message
            if isinstance(self.dialect, HelloDialect):
                raise malformed("Hello twice")
            self.dialect = HelloDialect()
            self.post(encode_hello_ack(self._services.terms()))
        except AlignedError as error:
            self._refuse(error, MessageRef())
        return None

    async def _submit(self, ticket: Ticket) -> None:
        services = self._services
        try:
            if services.subscriptions.pending(self) >= services.limits.max_pending:
                raise DependencyError(
                    SERVER_BUSY, f"this connection waits for {services.limits.max_pending} proofs"
                )
            admitted = await services.admission.admit(ticket)
        except AlignedError as error:
            self._refuse(error, ticket.about)
            return
        self._accept(admitted, ticket)

    def _accept(self, admitted: Admitted, ticket: Ticket) -> None:
        stored, services = admitted.stored, self._services
        services.metrics.accepted(ticket.submission.data.proving_system)
        self.post(self.dialect.accepted(_receipt(admitted)))
        if admitted.replaced_leaf is not None:
            services.subscriptions.replaced(ProofKey(stored.sender, stored.nonce, admitted.replaced_leaf))
        self._tell_outbid(admitted)
        services.subscriptions.add(stored, self)

    def _tell_outbid(self, admitted: Admitted) -> None:
        if not admitted.outbid:
            return
        self._services.metrics.dropped(OUTBID, len(admitted.outbid))
        for proof in admitted.outbid:
            key = ProofKey(proof.sender, proof.nonce, proof.leaf)
            self._services.subscriptions.dropped(key, PaymentError(OUTBID, eviction.REASON))

    def _ended(self, task: asyncio.Task[None], size_bytes: int) -> None:
        self._tasks.discard(task)
        self._active_at = self._loop.time()
        self._in_work.release()
        self._services.budget.release(self._socket.ip, size_bytes)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("admission_failed", exc_info=error)
            self._refuse(
                InvariantError(INTERNAL_ERROR, "a bug of the batcher; the proof was not accepted"),
                MessageRef(),
            )

    def _refuse(self, error: AlignedError, about: MessageRef) -> None:
        self._services.metrics.refused(error.code)
        log.info("refused", code=error.code, message=error.message, sender=about.sender, nonce=about.nonce)
        self.post(self.dialect.rejected(error, about))


def _receipt(admitted: Admitted) -> Receipt:
    stored = admitted.stored
    return Receipt(
        stored.leaf,
        stored.sender,
        stored.nonce,
        admitted.position,
        stored.deadline_s,
        stored.receipt_signature,
    )
