"""The listening socket: WebSockets and plain HTTP on one port, and how many of them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import cast

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from aligned.batcher.client_socket import ClientSocket, SocketRules
from aligned.batcher.connection import ClientConnection, Services
from aligned.batcher.gate import Gate, GateLimits
from aligned.batcher.http import BatcherHttp
from aligned.batcher.http_replies import refusal
from aligned.core.errors import AlignedError
from aligned.limits import Shares

log = structlog.get_logger(__name__)
# The library stops reading as soon as one frame waits for us.
_READ_AHEAD = 0
# Handshakes and pages come on connections of their own, beside the WebSockets.
_SOCKETS_PER_WEBSOCKET = 2
_MESSAGES_PER_IP = 8
_MESSAGES_BUFFERED = 64
# What the library reports is what strangers do; our own mistakes are logged here.
_LIBRARY_LOG = logging.getLogger("aligned.batcher.websockets")
_LIBRARY_LOG.setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class ListenLimits:
    """Where to listen and how much to take (see the settings of the same names)."""

    host: str
    port: int
    max_connections: int
    max_connections_per_ip: int
    ping_interval_s: float
    handshake_timeout_s: float
    message_timeout_s: float


class BatcherServer:
    """Accepts clients. Use `listen` as an async context manager."""

    def __init__(self, services: Services, pages: BatcherHttp, limits: ListenLimits) -> None:
        self._services = services
        self._pages = pages
        self._limits = limits
        self._websockets = Shares(limits.max_connections)
        max_bytes = services.limits.max_message_bytes
        gate = Gate(
            GateLimits(
                _SOCKETS_PER_WEBSOCKET * limits.max_connections,
                _SOCKETS_PER_WEBSOCKET * limits.max_connections_per_ip,
                _MESSAGES_BUFFERED * max_bytes,
                _MESSAGES_PER_IP * max_bytes,
            )
        )
        self._rules = SocketRules(gate, services.entry.names, limits.message_timeout_s)

    def listen(self) -> serve:
        """The server as an async context manager."""
        limits, connection = self._limits, self._services.limits
        return serve(
            self._handle,
            limits.host,
            limits.port,
            process_request=self._process_request,
            compression=None,
            max_size=connection.max_message_bytes,
            max_queue=_READ_AHEAD,
            open_timeout=limits.handshake_timeout_s,
            ping_interval=limits.ping_interval_s,
            ping_timeout=limits.ping_interval_s,
            close_timeout=5,
            server_header=None,
            logger=_LIBRARY_LOG,
            create_connection=cast(type[ServerConnection], partial(ClientSocket, rules=self._rules)),
        )

    async def _process_request(self, socket: ServerConnection, request: Request) -> Response | None:
        """Plain HTTP gets a page; a handshake goes on unless there are too many connections."""
        assert isinstance(socket, ClientSocket)
        is_page = request.headers.get("Upgrade", "").lower() != "websocket"
        try:
            socket.identify(request)
            if not is_page:
                self._services.entry.handshake(socket.client)
                bounds = socket.client.bounds(self._limits.max_connections_per_ip)
                socket.hold(self._websockets.take(bounds, 1, "WebSockets"))
        except AlignedError as error:
            return refusal(error)
        return await self._pages.handle(request, socket.client) if is_page else None

    async def _handle(self, socket: ServerConnection) -> None:
        assert isinstance(socket, ClientSocket)
        self._services.metrics.connections.inc()
        try:
            await ClientConnection(socket, self._services).run()
        except Exception:
            log.exception("connection_failed", client=socket.client.name)
            await socket.close(CloseCode.INTERNAL_ERROR)
        finally:
            self._services.metrics.connections.dec()


async def serve_until(server: BatcherServer, stop: asyncio.Event, listening: asyncio.Future[int]) -> None:
    """Listens until `stop`; the port goes to `listening`."""
    async with server.listen() as running:
        listening.set_result(port_of(running))
        await stop.wait()


def port_of(running: Server) -> int:
    """The port that a server listens on."""
    return int(next(iter(running.sockets)).getsockname()[1])
