"""Frames between the pool and its workers: a length, then the fields of a proof or a verdict.

The pool does not trust a worker (a proof may have taken it over), so verdicts are JSON of bounded size, never pickle.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

from pydantic_core import from_json

from aligned.core.types import ADDRESS_BYTES, ProvingSystem, VerificationData
from aligned.verifiers.base import AggregatedProof, Verdict

LENGTH = struct.Struct("<Q")
MAX_VERDICT_BYTES = 64 * 1024
_MAX_SECONDS = 1e9
_ABSENT = 2**64 - 1
_BLOBS = 5
_GENERATOR = bytes(ADDRESS_BYTES)


def pack_proof(data: VerificationData, proof_file: Path | None = None) -> bytes:
    """A request with its length in front. The generator's address plays no part in verification.

    Args:
        proof_file: where the worker reads the proof, instead of `data.proof`.
    """
    file = None if proof_file is None else bytes(proof_file.absolute())
    blobs = (data.proof, data.pub_input, data.verification_key, data.vm_program_code, file)
    parts = [bytes([data.proving_system, isinstance(data, AggregatedProof)])]
    for blob in blobs:
        parts += [LENGTH.pack(_ABSENT)] if blob is None else [LENGTH.pack(len(blob)), blob]
    return b"".join([LENGTH.pack(sum(map(len, parts))), *parts])


def unpack_proof(body: bytes) -> tuple[VerificationData, Path | None]:
    """Inverse of `pack_proof`, without the length."""
    blobs: list[bytes | None] = []
    position = 2
    for _ in range(_BLOBS):
        (size,) = LENGTH.unpack_from(body, position)
        position += LENGTH.size
        blobs.append(None if size == _ABSENT else body[position : position + size])
        position += 0 if size == _ABSENT else size
    proof, pub_input, key, code, file = blobs
    kind = AggregatedProof if body[1] else VerificationData
    data = kind(ProvingSystem(body[0]), proof or b"", pub_input, key, code, _GENERATOR)
    return data, None if file is None else Path(os.fsdecode(file))


def pack_verdict(verdict: Verdict) -> bytes:
    """A verdict with its length in front; a reason is cut at 2,000 characters."""
    fields = [verdict.valid, verdict.code, verdict.reason[:2000], verdict.seconds]
    body = json.dumps(fields).encode()
    return LENGTH.pack(len(body)) + body


def unpack_verdict(body: bytes) -> Verdict:
    """Inverse of `pack_verdict`, without the length; what cannot be printed is escaped in code and reason.

    They may quote the proof, so that its submitter chose some characters: no database takes a NUL.

    Raises:
        ValueError: the worker wrote something else.
    """
    match from_json(body):  # bounds depth, unlike the standard library
        case [bool(valid), str(code), str(reason), int() | float() as seconds] if 0 <= seconds < _MAX_SECONDS:
            return Verdict(valid, _printable(code), _printable(reason), float(seconds))
    raise ValueError("not a verdict")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
