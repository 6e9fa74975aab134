"""JSON answers of services that are not trusted: sizes, shapes and types are checked before a value is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from pydantic_core import from_json

from aligned.core.errors import MALFORMED_MESSAGE, AlignedError, DependencyError, ProtocolError

MAX_ANSWER_BYTES = 1 << 20
# 2^256 has 78.
_MAX_DIGITS = 78
_RETRY_LATER = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT})


class JsonService:
    """One HTTP service that answers in JSON, and with problem+json where it refuses.

    Args:
        base_url: without a trailing slash.
        name: for messages; `<name>_unavailable` is the code of its silence.
        transport: for tests.
    """

    def __init__(
        self, base_url: str, name: str, timeout_s: float, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.name = name
        self.unavailable = f"{name}_unavailable"
        self._http = httpx.AsyncClient(base_url=base_url, timeout=timeout_s, transport=transport)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def get(
        self, path: str, max_bytes: int = MAX_ANSWER_BYTES, **request: Any
    ) -> dict[str, Any] | None:
        """The object at `path`, None where there is none (404).

        Raises:
            AlignedError: what the service says; DependencyError: it says nothing of use.
        """
        answer = await self.request("GET", path, max_bytes, **request)
        return None if answer.status == httpx.codes.NOT_FOUND else answer.unwrap(self)

    async def request(
        self, method: str, path: str, max_bytes: int = MAX_ANSWER_BYTES, **request: Any
    ) -> Answer:
        """The answer, whatever its status.

        Raises:
            DependencyError: `<name>_unavailable`. ProtocolError: longer than `max_bytes`.
        """
        try:
            async with self._http.stream(method, path, **request) as response:
                body = await self._read(response, max_bytes)
        except httpx.HTTPError as error:
            raise DependencyError(self.unavailable, f"{method} {path}: {type(error).__name__}") from error
        return Answer(path, response.status_code, response.headers, body)

    async def _read(self, response: httpx.Response, max_bytes: int) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > max_bytes:
                text = f"{self.name}'s answer is longer than {max_bytes} bytes"
                raise ProtocolError(MALFORMED_MESSAGE, text)
        return bytes(body)


class Answer:
    """Status and body of an answer."""

    def __init__(self, path: str, status: int, headers: httpx.Headers, body: bytes) -> None:
        self.path = path
        self.status = status
        self.body = body
        self._headers = headers

    def unwrap(self, service: JsonService) -> dict[str, Any]:
        """The object of a good answer.

        Raises:
            AlignedError: the service's refusal, or an answer of another shape.
        """
        answer = self._object(service)
        if not httpx.codes.is_success(self.status):
            raise self._problem(answer, service)
        return answer

    def _object(self, service: JsonService) -> dict[str, Any]:
        try:
            answer = from_json(
                self.body
            )  # bounds depth and digits; the standard library can overflow the stack
        except ValueError as error:
            kind = self._headers.get("content-type", "no content type")
            text = f"{self.path}: answer {self.status} is not JSON ({kind})"
            raise self._error(service.unavailable, text) from error
        if not isinstance(answer, dict):
            raise ProtocolError(MALFORMED_MESSAGE, f"{self.path}: answer is no object")
        return answer

    def _problem(self, answer: dict[str, Any], service: JsonService) -> AlignedError:
        code, text = answer.get("code"), answer.get("detail") or answer.get("title")
        code = code if isinstance(code, str) else service.unavailable
        text = text if isinstance(text, str) else f"HTTP {self.status}"
        context = {"status": self.status}
        for name in ("expected", "reason"):
            if isinstance(answer.get(name), str | int):
                context[name] = answer[name]
        if isinstance(after := self._headers.get("retry-after"), str) and after.isdecimal():
            context["retry_after_s"] = int(after[:6])
        return self._error(code, text, **context)

    def _error(self, code: str, text: str, **context: object) -> AlignedError:
        """What the client did wrong is so again next time; anything else may pass."""
        is_final = httpx.codes.is_client_error(self.status) and self.status not in _RETRY_LATER
        return (ProtocolError if is_final else DependencyError)(code, text, **context)


@contextmanager
def no_other_shape(what: str) -> Iterator[None]:
    """An answer that is not of the shape that the block reads is the service's fault, whatever it breaks."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ProtocolError(MALFORMED_MESSAGE, f"{what}: {type(error).__name__}") from error


def bytes_or_none(value: object, length: int | None = None) -> bytes | None:
    """0x text, of `length` bytes if given; None stays None. Raises ValueError."""
    return None if value is None else read_bytes(value, length)


def read_bytes(value: object, length: int | None = None) -> bytes:
    """0x text, of `length` bytes if given. Raises ValueError."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError("expected 0x text")
    raw = bytes.fromhex(value[2:])
    if length is not None and len(raw) != length:
        raise ValueError(f"expected {length} bytes, got {len(raw)}")
    return raw


def integer_or_none(answer: Mapping[str, Any], name: str) -> int | None:
    """As `integer`; None where it is null or absent."""
    return None if answer.get(name) is None else integer(answer, name)


def integer(answer: Mapping[str, Any] | None, name: str) -> int:
    """A number that is not negative, also as decimal text.

    Raises:
        ProtocolError: malformed_message.
    """
    value = (answer or {}).get(name)
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and value.isdecimal():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ProtocolError(MALFORMED_MESSAGE, f"answer: {name} is no number of this kind")
    return value
