"""From a task's pointer to the proofs that its root commits to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import aligned_native as native

from aligned.core.errors import AlignedError, DependencyError, ProtocolError
from aligned.core.types import VerificationData
from aligned.storage.download import TOO_LARGE, download
from aligned.wire.aggregator import BATCH_TOO_LARGE, ROOT_MISMATCH, UNDECODABLE_BATCH, WHOLE_BATCH, ZERO_LEAF
from aligned.wire.batch_file import decode_batch

MAX_POINTERS: Final = 5


@dataclass(frozen=True, slots=True)
class Batch:
    """Decoded proofs and their leaves, made of these very objects: what is verified is what is committed."""

    proofs: list[VerificationData]
    leaves: list[bytes]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a batch is not signed: first failing leaf (or WHOLE_BATCH and a zero leaf) and a stable code."""

    leaf_index: int
    leaf: bytes
    reason: str
    detail: str = ""

    @classmethod
    def of_batch(cls, reason: str, detail: str = "") -> Refusal:
        """A refusal that concerns no single leaf."""
        return cls(WHOLE_BATCH, ZERO_LEAF, reason, detail)


class BatchUnavailable(DependencyError):
    """No pointer gave the batch, and at least one may do so later."""


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """Bounds on what a stranger's pointer may make this machine do; `timeout_s` is for all its URLs together."""

    max_bytes: int
    max_proofs: int
    timeout_s: float
    allow_private: bool
    allow_redirects: bool
    min_bytes_per_s: float = 0.0


async def fetch_batch(pointer: str, root: bytes, limits: DownloadLimits) -> Batch | Refusal:
    """The first pointer whose content has the root wins; where it comes from does not matter.

    Returns:
        The batch, or the last refusal when every pointer gave a definite wrong answer.

    Raises:
        BatchUnavailable: no pointer gave the batch and one of them may still come.
    """
    refusal = Refusal.of_batch(UNDECODABLE_BATCH, "no pointer")
    unavailable: AlignedError | None = None
    urls = [url.strip() for url in pointer.split(",")[:MAX_POINTERS]]
    # Shared, so that five trickling servers hold a worker no longer than one.
    timeout_s = limits.timeout_s / len(urls)
    for url in urls:
        try:
            data = await download(
                url,
                limits.max_bytes,
                timeout_s,
                limits.allow_private,
                limits.allow_redirects,
                limits.min_bytes_per_s,
            )
        except AlignedError as error:
            if error.code == TOO_LARGE:
                refusal = Refusal.of_batch(BATCH_TOO_LARGE, error.message)
            else:
                unavailable = error
            continue
        outcome = await asyncio.to_thread(open_batch, data, root, limits.max_proofs)
        if isinstance(outcome, Batch):
            return outcome
        refusal = outcome
    if unavailable is not None:
        raise BatchUnavailable(unavailable.code, unavailable.message)
    return refusal


def open_batch(data: bytes, root: bytes, max_proofs: int) -> Batch | Refusal:
    """Decodes once, commits to the decoded objects, and compares the root."""
    try:
        proofs = decode_batch(data, max_proofs)
    except ProtocolError as error:
        return Refusal.of_batch(UNDECODABLE_BATCH, str(error))
    if not proofs:
        return Refusal.of_batch(UNDECODABLE_BATCH, "no proofs")
    leaves = leaves_of(proofs)
    found = native.merkle_root(b"".join(leaves))
    if found != root:
        return Refusal.of_batch(ROOT_MISMATCH, f"file has root 0x{found.hex()}")
    return Batch(proofs, leaves)


def leaves_of(proofs: Sequence[VerificationData]) -> list[bytes]:
    """The leaves of many proofs, hashed on all cores: megabytes a proof, and the native code releases the GIL."""
    with ThreadPoolExecutor(min(len(proofs), os.cpu_count() or 1)) as threads:
        return list(threads.map(leaf_of, proofs))


def leaf_of(data: VerificationData) -> bytes:
    """The proof's leaf, through the native implementation."""
    _proof, _pub_input, _aux, leaf = native.leaf_commitment(
        int(data.proving_system),
        data.proof,
        data.pub_input,
        data.verification_key,
        data.vm_program_code,
        data.proof_generator_addr,
    )
    return leaf
