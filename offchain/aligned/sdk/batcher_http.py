"""The batcher's HTTP face: status by leaf, next nonce, quote. Answers are not trusted: sizes and types are checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from pydantic_core import from_json

from aligned.core.errors import MALFORMED_MESSAGE, AlignedError, DependencyError, ProtocolError
from aligned.core.types import ADDRESS_BYTES, HASH_BYTES, InclusionProof
from aligned.sdk.models import State, Submission

BATCHER_UNAVAILABLE = "batcher_unavailable"
MAX_ANSWER_BYTES = 1 << 20
_TIMEOUT_S = 15.0
# 2^256 has 78.
_MAX_DIGITS = 78


class BatcherHttp:
    """Reads from one batcher.

    Args:
        base_url: without a trailing slash.
        transport: for tests.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, timeout=_TIMEOUT_S, transport=transport)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def submissions(self, leaf: bytes, own: tuple[bytes, int] | None = None) -> list[Submission]:
        """What the batcher knows about a leaf, newest first; empty for an unknown one.

        Args:
            own: sender and nonce, for one submission of a leaf that was submitted often.
        """
        which = "" if own is None else f"/0x{own[0].hex()}/{own[1]}"
        answer = await self._get(f"/v1/proofs/0x{leaf.hex()}{which}")
        if answer is None:
            return []
        with _no_other_shape("batcher's answer about a leaf"):
            return [_submission(row) for row in answer["submissions"]]

    async def next_nonce(self, address: bytes) -> int:
        """The nonce that the next proof of `address` must carry, queued ones counted."""
        return _integer(await self._get(f"/v1/nonce/0x{address.hex()}"), "nonce")

    async def quote(self) -> dict[str, Any]:
        """Fees at the present gas price, as the batcher states them."""
        answer = await self._get("/v1/quote")
        if answer is None:
            raise DependencyError(BATCHER_UNAVAILABLE, "this batcher gives no quotes")
        return answer

    async def _get(self, path: str) -> dict[str, Any] | None:
        try:
            async with self._http.stream("GET", path) as response:
                body = await _read_bounded(response)
        except httpx.HTTPError as error:
            raise DependencyError(BATCHER_UNAVAILABLE, f"GET {path}: {type(error).__name__}") from error
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        answer = _object(body, response.headers, path)
        if response.status_code != httpx.codes.OK:
            raise _problem(response.status_code, answer)
        return answer


async def _read_bounded(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise ProtocolError(
                MALFORMED_MESSAGE, f"batcher's answer is longer than {MAX_ANSWER_BYTES} bytes"
            )
    return body


@contextmanager
def _no_other_shape(what: str) -> Iterator[None]:
    """An answer that is not of the shape that the block reads is the batcher's fault, whatever it breaks."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ProtocolError(MALFORMED_MESSAGE, f"{what}: {type(error).__name__}") from error


def _object(body: bytes, headers: httpx.Headers, path: str) -> dict[str, Any]:
    try:
        answer = from_json(body)  # bounds depth and digits; the standard library can overflow the stack
    except ValueError as error:
        kind = headers.get("content-type", "no content type")
        raise DependencyError(BATCHER_UNAVAILABLE, f"GET {path}: answer is not JSON ({kind})") from error
    if not isinstance(answer, dict):
        raise ProtocolError(MALFORMED_MESSAGE, f"GET {path}: answer is no object")
    return answer


def _problem(status: int, answer: dict[str, Any]) -> AlignedError:
    code, text = answer.get("code"), answer.get("detail") or answer.get("title")
    code = code if isinstance(code, str) else BATCHER_UNAVAILABLE
    text = text if isinstance(text, str) else f"HTTP {status}"
    kind = DependencyError if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == 429 else ProtocolError
    return kind(code, text)


def _submission(row: dict[str, Any]) -> Submission:
    root, path = _bytes(row.get("batch_root"), HASH_BYTES), _bytes(row.get("path"))
    inclusion = None
    if root is not None and path is not None:
        inclusion = InclusionProof(root, path, _integer(row, "index"))
    sender, signature = _bytes(row["sender"], ADDRESS_BYTES), _bytes(row["receipt_signature"])
    if sender is None or signature is None:
        raise ValueError("sender or receipt_signature is null")
    return Submission(
        sender=sender,
        nonce=_integer(row, "nonce"),
        state=State(row["state"]),
        position=_integer_or_none(row, "position"),
        deadline_s=_integer(row, "deadline"),
        receipt_signature=signature,
        inclusion=inclusion,
        sender_address=_bytes(row.get("sender_address"), ADDRESS_BYTES),
        tx_hash=_bytes(row.get("tx_hash"), HASH_BYTES),
        task_block=_integer_or_none(row, "task_block"),
        reason=None if row.get("reason") is None else str(row["reason"]),
    )


def _bytes(value: object, length: int | None = None) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError("expected 0x text")
    raw = bytes.fromhex(value[2:])
    if length is not None and len(raw) != length:
        raise ValueError(f"expected {length} bytes, got {len(raw)}")
    return raw


def _integer_or_none(answer: dict[str, Any], name: str) -> int | None:
    return None if answer.get(name) is None else _integer(answer, name)


def _integer(answer: dict[str, Any] | None, name: str) -> int:
    value = (answer or {}).get(name)
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and value.isdecimal():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ProtocolError(MALFORMED_MESSAGE, f"batcher's answer: {name} is no number of this kind")
    return value
