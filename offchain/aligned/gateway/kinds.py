"""Refuses proofs of kinds and versions that are not aggregated before anything is charged for them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aligned_native

from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import UNSUPPORTED_VERSION
from aligned.gateway.refusals import refusal
from aligned.verifiers.kinds import aggregated_kinds, unaggregated_kind
from aligned.wire.gateway import UNSUPPORTED_PROOF_KIND

# What a file is shows in its first bytes; SP1 writes the version last. No proof that is aggregated is so short.
_HEAD_BYTES = 256
_TAIL_BYTES = 64
# Saved proofs of both systems begin with the number of their kind, one of four.
_TAG_BYTES = 4
_KINDS = 4


def check_kind(system: AggregationSystem, head: bytes) -> None:
    """Refuses a proof of a known kind that is not aggregated; what has no known kind is left to the verifier.

    Args:
        head: the first 4 bytes of the proof.

    Raises:
        ProtocolError: unsupported_proof_kind.
    """
    kind = unaggregated_kind(system, head)
    if kind is not None:
        wanted = " or ".join(aggregated_kinds(system))
        raise refusal(UNSUPPORTED_PROOF_KIND, f"{kind} proofs are not aggregated, send a {wanted} one")


async def check_format(system: AggregationSystem, proof: Path, key: bytes) -> None:
    """Refuses a file that is no proof at all, or one of another version as far as its beginning and end show it.

    RISC Zero's version is in no fixed place: the verifier finds it, when the proof is charged already.

    Raises:
        ProtocolError: unsupported_version, malformed_proof.
    """
    excerpt = await asyncio.to_thread(_excerpt, proof)
    verdict = aligned_native.verify_aggregatable(int(system), excerpt, b"", key)
    is_foreign = int.from_bytes(excerpt[:_TAG_BYTES], "little") >= _KINDS
    if is_foreign or verdict.code == UNSUPPORTED_VERSION:
        raise refusal(verdict.code, verdict.reason)


def _excerpt(proof: Path) -> bytes:
    size_bytes = proof.stat().st_size
    with proof.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(max(len(head), size_bytes - _TAIL_BYTES))
        return head + file.read()
