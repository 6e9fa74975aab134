"""A client's socket that bounds what the WebSocket library leaves to its user: sockets, fragments, pings, bytes, time.

The library bounds the size of a message, but not the frames that it comes in, nor how long that takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, cast

from websockets.asyncio.server import ServerConnection
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import CLOSED, CLOSING, OPEN, Event
from websockets.server import ServerProtocol

from aligned.batcher.gate import Gate
from aligned.clients import Client, ClientNames
from aligned.core.errors import AlignedError

# Clients send a message in one frame, or in pieces of many kilobytes.
_MAX_FRAGMENTS = 1_024
# Ours come every ping interval; nobody needs more than a few of his own.
_MAX_PINGS = 32
_PING_WINDOW_S = 10.0
_LINGER_S = 2.0
_MASKED_HEAD_BYTES = 6
_SHORT_BYTES, _MEDIUM_BYTES = 125, 65_535


@dataclass(frozen=True, slots=True)
class SocketRules:
    """What all sockets share.

    Attributes:
        message_timeout_s: time in which a message that has begun must be complete.
    """

    gate: Gate
    names: ClientNames
    message_timeout_s: float


class _Protocol(ServerProtocol):
    """Says why before it ends a connection whose message is too large."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.before_too_big: Callable[[], bytes | None] = lambda: None

    def fail(self, code: int, reason: str = "") -> None:
        """Sends the answer, then the close frame. The library calls this as soon as it has read a frame's head."""
        if code == CloseCode.MESSAGE_TOO_BIG and self.state is OPEN:
            answer = self.before_too_big()
            if answer is not None:
                self.send_binary(answer)
        super().fail(code, reason)


class ClientSocket(ServerConnection):
    """One client's socket.

    Attributes:
        answer_oversize: gives the last frame to a client whose message is announced too large; None before its first.
    """

    answer_oversize: Callable[[], bytes] | None = None

    def __init__(self, protocol: ServerProtocol, *args: Any, rules: SocketRules, **kwargs: Any) -> None:
        own = _Protocol(max_size=protocol.max_size, logger=protocol.logger)
        super().__init__(own, *args, **kwargs)
        own.before_too_big = self._before_too_big
        self.client = Client("gone")
        self._shares = ExitStack()
        self.received_at = self.loop.time()
        self._rules = rules
        self._is_admitted = False
        self._fragments = 0
        self._pings = 0
        self._pings_since = 0.0
        # Bytes of a frame that is not complete; of frames that nobody took; and of both, as the gate knows it.
        self._partial_bytes = 0
        self._untaken_bytes = 0
        self._counted_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_receiving(self) -> bool:
        """Whether a message has begun that is not complete."""
        return self._partial_bytes > 0 or self._fragments > 0

    def taken(self, size_bytes: int) -> None:
        """A message was taken on: somebody else counts its bytes from here on."""
        self._untaken_bytes -= size_bytes
        self._count()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Lets a client in, or not even listens to it."""
        peer = str((transport.get_extra_info("peername") or ("gone",))[0])
        # Whom a proxy speaks for is in the request, which has not come yet.
        client = None if self._rules.names.is_proxy(peer) else self._rules.names.named(peer, ())
        try:
            self._shares.enter_context(self._rules.gate.socket(client))
        except AlignedError:
            cast(asyncio.Transport, transport).abort()
            return
        self.client, self._is_admitted = client or Client(f"behind {peer}"), True
        super().connection_made(transport)

    def identify(self, request: Request) -> None:
        """Counts the socket for the client whose request it is, also behind a proxy.

        Raises:
            AlignedError: rate_limited, server_busy: the client has too many.
        """
        names = self._rules.names
        peer = str((self.remote_address or ("gone",))[0])
        client = names.named(peer, request.headers.get_all(names.header))
        if client == self.client:
            return
        self._rules.gate.hold(self.client, -self._counted_bytes)
        self.client, self._counted_bytes = client, 0
        self._count()
        self._shares.close()
        self.hold(self._rules.gate.socket(client))

    def hold(self, share: AbstractContextManager[None]) -> None:
        """Takes a share until the socket is gone. Raises what the share raises."""
        self._shares.enter_context(share)

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives everything back."""
        if not self._is_admitted:
            return
        super().connection_lost(exc)
        self._stop_timer()
        self._rules.gate.hold(self.client, -self._counted_bytes)
        self._counted_bytes = 0
        self._is_admitted = False
        self._shares.close()

    def data_received(self, data: bytes) -> None:
        """Passes bytes on and looks at what they left."""
        if not self._is_admitted:
            return
        self.received_at = self.loop.time()
        if self.request is not None:
            self._partial_bytes += len(data)
        super().data_received(data)
        if self.protocol.state in (CLOSING, CLOSED):  # what still comes is thrown away, not kept
            self._partial_bytes = self._fragments = 0
        self._count()
        self._watch()

    def process_event(self, event: Event) -> None:
        """Counts a frame before it is passed on; those of a client that went too far are not."""
        if not isinstance(event, Frame):
            assert isinstance(event, Request)
            super().process_event(event)
            return
        self._partial_bytes = max(0, self._partial_bytes - _wire_bytes(event))
        if self.close_code is not None or self._has_failed():
            return
        if event.opcode is Opcode.PING:
            self._count_ping()
        elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._untaken_bytes += len(event.data)
            self._fragments = 0 if event.fin else self._fragments + 1
            if self._fragments > _MAX_FRAGMENTS:
                self._refuse(CloseCode.POLICY_VIOLATION, "too many fragments")
                return
        super().process_event(event)

    async def keepalive(self) -> None:
        """Ends a connection from which no byte came for as long as a ping may take, while we read.

        The library waits for the pong itself, which may stand behind messages that we do not read yet.
        """
        assert self.ping_interval is not None and self.ping_timeout is not None
        while True:
            await asyncio.sleep(self.ping_interval)
            if self.recv_messages.paused or self.protocol.state is not OPEN:
                continue
            asked_at = self.loop.time()
            self.protocol.send_ping(b"")
            self.send_data()
            await asyncio.sleep(self.ping_timeout)
            if self.received_at < asked_at and not self.recv_messages.paused:
                self._refuse(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")

    def _count_ping(self) -> None:
        if self.received_at - self._pings_since > _PING_WINDOW_S:
            self._pings_since, self._pings = self.received_at, 0
        self._pings += 1
        if self._pings > _MAX_PINGS:
            self._refuse(CloseCode.POLICY_VIOLATION, "too many pings")

    def _count(self) -> None:
        held_bytes = self._partial_bytes + self._untaken_bytes if self._is_admitted else 0
        change_bytes, self._counted_bytes = held_bytes - self._counted_bytes, held_bytes
        if not self._rules.gate.hold(self.client, change_bytes) and change_bytes > 0:
            self._refuse(CloseCode.TRY_AGAIN_LATER, "too many bytes wait")

    def _before_too_big(self) -> bytes | None:
        """Its client hears the answer only when it has sent everything, so what comes is thrown away for as long."""
        self.close_timeout = self._rules.message_timeout_s
        self.loop.call_later(self._rules.message_timeout_s, self.transport.abort)
        return None if self.answer_oversize is None else self.answer_oversize()

    def _watch(self) -> None:
        """Starts the clock with the first byte of a message, and stops it with the last one."""
        if not self.is_receiving:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self._rules.message_timeout_s, self._too_slow)

    def _too_slow(self) -> None:
        self._timer = None
        if self.recv_messages.paused:  # we do not read, so it is not the client that is slow
            self._watch()
        elif self.is_receiving:
            self._refuse(CloseCode.POLICY_VIOLATION, "a message takes too long")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _has_failed(self) -> bool:
        return self.transport.is_closing()

    def _refuse(self, code: CloseCode, reason: str) -> None:
        """Ends the connection; one that does not take the close frame ends without it."""
        if self._has_failed():
            return
        self._stop_timer()
        self.protocol.fail(code, reason)
        self.send_data()
        self.transport.close()
        self.loop.call_later(_LINGER_S, self.transport.abort)


def _wire_bytes(frame: Frame) -> int:
    """Length of a client's frame on the wire, in the shortest form."""
    size_bytes = len(frame.data)
    extra = 0 if size_bytes <= _SHORT_BYTES else 2 if size_bytes <= _MEDIUM_BYTES else 8
    return _MASKED_HEAD_BYTES + extra + size_bytes
