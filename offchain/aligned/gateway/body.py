"""The body of a request, piece by piece, from a client that may be slow, silent, or gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.types import Receive

from aligned.core.errors import MALFORMED_MESSAGE, TIMEOUT
from aligned.gateway.refusals import refusal

# A refused client that is still sending gets so much read, so that it comes to read the answer.
_DRAIN_BYTES = 8 * 1024 * 1024
_DRAIN_S = 2.0
T = TypeVar("T")


class Body:
    """Reads each piece once.

    Args:
        request: whose body it is. A client that expects `100 Continue` is told so with the first look at the body.
        idle_s: longest silence.
        least_bytes_per_s: least rate at this moment, on average after `idle_s` of waiting for the client; 0: any.
    """

    def __init__(self, request: Request, idle_s: float, least_bytes_per_s: Callable[[], float]) -> None:
        self._receive = request.receive
        self._holds_back = "100-continue" in request.headers.get("expect", "").lower()
        self._idle_s = idle_s
        self._least_rate = least_bytes_per_s
        self._left_s = idle_s
        self._ended = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """The pieces, to the end of the body.

        Raises:
            ProtocolError: timeout, when the client is silent or slow; malformed_message, when it goes away.
        """
        while not self._ended:
            piece = await self._next_in_time()
            if piece is None:
                raise refusal(MALFORMED_MESSAGE, "the client went away")
            yield piece

    async def drain(self) -> None:
        """Reads on for a moment: a connection that is closed on unread bytes loses the answer on its way.

        A client that still waits to be told to go on sends nothing: it gets its answer instead.
        """
        if self._holds_back:
            return
        left = _DRAIN_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                while not self._ended and left > 0:
                    left -= len(await self._next() or b"")

    async def _next_in_time(self) -> bytes | None:
        """The next piece. Bytes buy time; what we take to use them costs the client none."""
        clock = asyncio.get_running_loop().time
        began_s, rate = clock(), self._least_rate()
        try:
            async with asyncio.timeout(min(self._idle_s, self._left_s)):
                piece = await self._next()
        except TimeoutError as error:
            slow = f"less than {rate:g} bytes a second"
            silent = f"nothing came for {self._idle_s:g} s"
            raise refusal(TIMEOUT, slow if self._left_s < self._idle_s else silent) from error
        if rate:
            self._left_s += len(piece or b"") / rate - (clock() - began_s)
        return piece

    async def _next(self) -> bytes | None:
        """The next piece; None when the client is gone."""
        self._holds_back = False
        message = await self._receive()
        gone = message["type"] != "http.request"
        self._ended = gone or not message.get("more_body", False)
        return None if gone else message.get("body", b"")


async def while_there(request: Request, answer: Coroutine[Any, Any, T]) -> T:
    """The answer to a request without a body, given up when the client goes away.

    Raises:
        ProtocolError: malformed_message: nobody is there to read it.
    """
    waiting, gone = asyncio.ensure_future(answer), asyncio.ensure_future(_gone(request.receive))
    try:
        await asyncio.wait((waiting, gone), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise refusal(MALFORMED_MESSAGE, "the client went away")
        return waiting.result()
    finally:
        waiting.cancel()
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
