"""The batcher's HTTP face: status by leaf, next nonce, quote. Answers are not trusted."""

from __future__ import annotations

from typing import Any

import httpx

from aligned.core.errors import DependencyError
from aligned.core.types import ADDRESS_BYTES, HASH_BYTES, InclusionProof
from aligned.sdk.answers import (
    JsonService,
    bytes_or_none,
    integer,
    integer_or_none,
    no_other_shape,
    read_bytes,
)
from aligned.sdk.models import State, Submission

BATCHER_UNAVAILABLE = "batcher_unavailable"
_TIMEOUT_S = 15.0


class BatcherHttp:
    """Reads from one batcher.

    Args:
        base_url: without a trailing slash.
        transport: for tests.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._service = JsonService(base_url, "batcher", _TIMEOUT_S, transport)

    async def close(self) -> None:
        """Closes the connections."""
        await self._service.close()

    async def submissions(self, leaf: bytes, own: tuple[bytes, int] | None = None) -> list[Submission]:
        """What the batcher knows about a leaf, newest first; empty for an unknown one.

        Args:
            own: sender and nonce, for one submission of a leaf that was submitted often.
        """
        which = "" if own is None else f"/0x{own[0].hex()}/{own[1]}"
        answer = await self._service.get(f"/v1/proofs/0x{leaf.hex()}{which}")
        if answer is None:
            return []
        with no_other_shape("batcher's answer about a leaf"):
            return [_submission(row) for row in answer["submissions"]]

    async def next_nonce(self, address: bytes) -> int:
        """The nonce that the next proof of `address` must carry, queued ones counted."""
        return integer(await self._service.get(f"/v1/nonce/0x{address.hex()}"), "nonce")

    async def quote(self) -> dict[str, Any]:
        """Fees at the present gas price, as the batcher states them."""
        answer = await self._service.get("/v1/quote")
        if answer is None:
            raise DependencyError(BATCHER_UNAVAILABLE, "this batcher gives no quotes")
        return answer


def _submission(row: dict[str, Any]) -> Submission:
    root, path = bytes_or_none(row.get("batch_root"), HASH_BYTES), bytes_or_none(row.get("path"))
    inclusion = None
    if root is not None and path is not None:
        inclusion = InclusionProof(root, path, integer(row, "index"))
    return Submission(
        sender=read_bytes(row["sender"], ADDRESS_BYTES),
        nonce=integer(row, "nonce"),
        state=State(row.get("depth") or row["state"]),
        position=integer_or_none(row, "position"),
        deadline_s=integer(row, "deadline"),
        receipt_signature=read_bytes(row["receipt_signature"]),
        inclusion=inclusion,
        sender_address=bytes_or_none(row.get("sender_address"), ADDRESS_BYTES),
        tx_hash=bytes_or_none(row.get("tx_hash"), HASH_BYTES),
        task_block=integer_or_none(row, "task_block"),
        reason=None if row.get("reason") is None else str(row["reason"]),
        confirmations=integer_or_none(row, "confirmations"),
    )
