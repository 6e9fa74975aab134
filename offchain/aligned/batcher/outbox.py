"""Frames on their way to one client."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

# A client that does not read what it is sent is dropped; what it misses is there over HTTP.
_MAX_UNSENT_FRAMES = 20_000


class Outbox:
    """Sends frames one after the other."""

    def __init__(self, socket: ServerConnection) -> None:
        self._socket = socket
        self._unsent: asyncio.Queue[bytes | None] = asyncio.Queue(_MAX_UNSENT_FRAMES)

    def post(self, frame: bytes) -> None:
        """Queues a frame."""
        self._put(frame)

    def end(self) -> None:
        """Closes the connection once everything queued so far is sent."""
        self._put(None)

    async def run(self) -> None:
        """Sends until the connection ends."""
        with suppress(ConnectionClosed):
            while (frame := await self._unsent.get()) is not None:
                await self._socket.send(frame)
            await self._socket.close()

    def _put(self, frame: bytes | None) -> None:
        try:
            self._unsent.put_nowait(frame)
        except asyncio.QueueFull:
            self._socket.transport.abort()
