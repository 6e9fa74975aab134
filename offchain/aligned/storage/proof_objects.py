"""Stored proofs, checked against what their rows say of them when they are read."""

from __future__ import annotations

import asyncio
from typing import Final

from aligned_native import keccak256

from aligned.core.errors import DependencyError, ProtocolError
from aligned.storage.objects import OBJECT_NOT_FOUND, OBJECT_TOO_LARGE, ObjectStore

PROOF_LOST: Final = "proof_lost"


class ProofLost(ProtocolError):
    """Our copy of a proof is gone or is not what was stored. Nobody but us is to blame.

    Attributes:
        damaged: other bytes are there; otherwise none are, which may also be an outage of the store.
    """

    def __init__(self, damaged: bool) -> None:
        what = "is damaged" if damaged else "is gone"
        super().__init__(PROOF_LOST, f"our copy of the proof {what}: send it again, this one is not charged")
        self.damaged = damaged


async def read_proof(
    store: ObjectStore, key: str, proof_hash: bytes, size_bytes: int, max_bytes: int | None = None
) -> bytes:
    """The proof that has this keccak hash.

    Args:
        size_bytes: of its row, which may count key and inputs too: the proof is not larger.
        max_bytes: no more is read.

    Raises:
        ProofLost: there is no object, or another one.
        DependencyError: store_unavailable; object_too_large, where `max_bytes` is below what was taken in.
    """
    limit = size_bytes if max_bytes is None else max_bytes
    try:
        proof = await store.get(key, limit)
    except ProtocolError as error:
        if error.code == OBJECT_TOO_LARGE and size_bytes > limit:
            raise DependencyError(
                error.code, f"{error.message}: a proof of this size was taken in"
            ) from error
        if error.code not in {OBJECT_NOT_FOUND, OBJECT_TOO_LARGE}:
            raise
        raise ProofLost(damaged=error.code == OBJECT_TOO_LARGE) from error
    if await asyncio.to_thread(keccak256, proof) != proof_hash:
        raise ProofLost(damaged=True)
    return proof
