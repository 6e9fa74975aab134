"""A WebSocket client that sends whatever frames a test wants, well-formed or not."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
from contextlib import suppress
from typing import Self

CONTINUATION, BINARY, CLOSE, PING, PONG = 0, 2, 8, 9, 10


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A masked frame (the mask is zero)."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += b"\xfe" + struct.pack(">H", size)
    else:
        head += b"\xff" + struct.pack(">Q", size)
    return head + bytes(4) + payload


class RawClient:
    """A connection after its handshake, and after the server's first frame."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET / HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
        await self.send("\r\n".join(lines).encode())
        assert b" 101 " in await self._reader.readuntil(b"\r\n\r\n")
        assert (await self.read())[0] == BINARY
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        with suppress(ConnectionError):
            await self._writer.drain()

    async def read(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame."""
        head = await self._reader.readexactly(2)
        size = head[1]
        if size == 126:
            size = struct.unpack(">H", await self._reader.readexactly(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", await self._reader.readexactly(8))[0]
        return head[0] & 15, await self._reader.readexactly(size)

    async def close_code(self, timeout_s: float = 20) -> int:
        """The code with which the server ends the connection; 1006 when it ends without one."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    opcode, payload = await self.read()
                    if opcode == CLOSE:
                        return int.from_bytes(payload[:2], "big")
        except (OSError, asyncio.IncompleteReadError):
            return 1006
