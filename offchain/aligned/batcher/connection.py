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
from aligned.batcher.dialects import check_hello, dialect_for
from aligned.batcher.entry import Entry
from aligned.batcher.market import MarketFeed
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.news import OrderedNews, frame_of
from aligned.batcher.outbox import Outbox
from aligned.batcher.questions import Questions
from aligned.batcher.subscriptions import News, ProofKey, Subscriptions
from aligned.core.errors import (
    INTERNAL_ERROR,
    OUTBID,
    PROOF_TOO_LARGE,
    SERVER_BUSY,
    AlignedError,
    DependencyError,
    InvariantError,
    PaymentError,
    ProtocolError,
)
from aligned.wire.batcher import (
    Hello,
    Question,
    SubmitProof,
    decode_client_message,
)
from aligned.wire.batcher_replies import (
    Dialect,
    MessageRef,
    Receipt,
    ServerLimits,
    encode_hello_ack,
    encode_protocol_version,
)
from aligned.wire.reference_replies import ReferenceDialect

log = structlog.get_logger(__name__)
_POLICY_VIOLATION = 1008


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

    entry: Entry
    admission: Admission
    subscriptions: Subscriptions
    market: MarketFeed
    metrics: BatcherMetrics
    budget: ByteBudget
    questions: Questions
    terms: Callable[[], ServerLimits]
    limits: ConnectionLimits


class ClientConnection:
    """Serves one client until it leaves or misbehaves."""

    def __init__(self, socket: ClientSocket, services: Services) -> None:
        self.dialect: Dialect = ReferenceDialect()
        self._socket = socket
        self._services = services
        self._outbox = Outbox(socket)
        self._in_work = asyncio.Semaphore(services.limits.max_unanswered)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._active_at = self._loop.time()
        self._has_spoken = False
        self._asked_for_patience = False
        self._news = OrderedNews(
            self._post_news, lambda: services.subscriptions.first_pending(self), self._silent_for_s
        )
        socket.answer_oversize = self._too_large

    def post(self, frame: bytes | None) -> None:
        """Queues a frame for sending."""
        if frame is not None:
            self._outbox.post(frame)

    def tell(self, key: ProofKey, news: News) -> None:
        """Passes on news about an accepted proof, when the client can take it."""
        if self.dialect.matches_by_order:
            self._news.add(self.dialect, key, news)
        else:
            self.post(frame_of(self.dialect, key, news))

    def tell_status(self, key: ProofKey, state: str) -> None:
        """Passes on a change of state."""
        self.post(self.dialect.status(MessageRef(*key), state))

    def _post_news(self, frame: bytes) -> None:
        self.post(frame)
        if self.dialect.is_over:
            self._outbox.end()

    def _silent_for_s(self) -> float:
        if self._tasks or self._socket.is_receiving:
            return 0.0
        return self._loop.time() - max(self._active_at, self._socket.received_at)

    async def run(self) -> None:
        """Serves the client."""
        self.post(encode_protocol_version())
        writer = asyncio.create_task(self._outbox.run())
        try:
            with suppress(ConnectionClosed):
                await self._read()
        finally:
            self._services.subscriptions.remove(self)
            self._news.stop()
            for task in (writer, *self._tasks):
                task.cancel()
            await asyncio.gather(writer, *self._tasks, return_exceptions=True)

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
        return bool(self._tasks) or not self._news.is_empty or self._services.subscriptions.pending(self) > 0

    async def _start(self, frame: bytes) -> None:
        """Takes a message on; returns once the next one may be read."""
        size_bytes = len(frame)
        await self._services.entry.message(self._socket.client)
        await self._services.budget.acquire(self._socket.client.name, size_bytes)
        self._socket.taken(size_bytes)
        try:
            ticket = await self._understand(frame)
            task = None if ticket is None else asyncio.create_task(self._submit(ticket))
        except BaseException:
            self._services.budget.release(self._socket.client.name, size_bytes)
            raise
        if ticket is None or task is None:
            self._services.budget.release(self._socket.client.name, size_bytes)
            return
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, size_bytes))
        await self._until_next(task, ticket)

    async def _until_next(self, task: asyncio.Task[None], ticket: Ticket) -> None:
        """Clients that pipeline may have several proofs in work; others get one answer after the other."""
        if not self.dialect.is_pipelined:
            await asyncio.wait((task,))
            return
        reserved = asyncio.create_task(ticket.reserved.wait())
        try:
            await asyncio.wait((task, reserved), return_when=asyncio.FIRST_COMPLETED)
        finally:
            reserved.cancel()

    async def _understand(self, frame: bytes) -> Ticket | None:
        """The submission in a frame, once it may be worked on; everything else is answered here."""
        try:
            message = decode_client_message(frame, self._services.limits.max_message_bytes)
            self.dialect = dialect_for(message, self.dialect if self._has_spoken else None)
            self._has_spoken = True
            check_hello(message)
        except AlignedError as error:
            self._refuse(error, MessageRef())
            return None
        if isinstance(message, Hello):
            self.post(encode_hello_ack(self._services.terms()))
            return None
        if isinstance(message, Question):
            self.post(await self._services.questions.answer(message, self._socket.client))
            return None
        if self._in_work.locked():
            self._ask_for_patience()
        await self._in_work.acquire()
        return Ticket(
            message.submission if isinstance(message, SubmitProof) else message, self._socket.client
        )

    def _ask_for_patience(self) -> None:
        """Says once why nothing more is read for a while."""
        if not self._asked_for_patience:
            self._asked_for_patience = True
            self.post(self.dialect.too_many(self._services.limits.max_unanswered))

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

    def _too_large(self) -> bytes:
        """The answer to a message whose announced length is beyond the limit; it is not read."""
        limit_bytes = self._services.limits.max_message_bytes
        error = ProtocolError(
            PROOF_TOO_LARGE, f"a message has at most {limit_bytes} bytes", limit_bytes=limit_bytes
        )
        self._services.metrics.refused(error.code)
        return self.dialect.rejected(error, MessageRef())

    def _ended(self, task: asyncio.Task[None], size_bytes: int) -> None:
        self._tasks.discard(task)
        self._active_at = self._loop.time()
        self._in_work.release()
        self._services.budget.release(self._socket.client.name, size_bytes)
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
