"""Result folders: what a worker wrote, read back, so that a restart finds finished jobs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aligned.core.aggregation import AggregationSystem, dev_proof
from aligned.core.errors import DependencyError, ProtocolError
from aligned.provers.base import ChunkResult, FinalResult
from aligned.provers.errors import RESULT_DAMAGED
from aligned.provers.levels import ProvingLevel

FINAL_JOB = "chunk"
_SUMMARY = "result.json"
_PROOF = "proof.bin"
_PUBLIC_VALUES = "public_values.bin"
STAND_IN = "no contract verifies a proof of this level: DevVerifier takes a stand-in on chain id 31337"


def job_digest(parts: Iterable[bytes | Path]) -> str:
    """A name for a job: 32 hex digits that change with any byte of its input."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:32]


def final_folders(folder: Path, system: AggregationSystem) -> list[Path]:
    """Folders of the system's `chunk` jobs in an engine's folder, whatever became of them."""
    return sorted(folder.glob(f"{system.wire_name}-{FINAL_JOB}-*"))


def is_finished(directory: Path) -> bool:
    """Whether a job wrote its result, which can be read, and its proof where the level has one."""
    try:
        _load(directory)
    except DependencyError:
        return False
    return True


def load_chunk(directory: Path) -> ChunkResult:
    """The result of a `user_proofs` job.

    Raises:
        DependencyError: result_damaged.
    """
    return ChunkResult(**_load(directory))


def load_final(directory: Path) -> FinalResult:
    """The result of a `chunk` job. Below the levels that reach the chain its proof is a stand-in, and it says so.

    Raises:
        DependencyError: result_damaged.
    """
    fields = _load(directory)
    if fields["level"].reaches_chain:
        return FinalResult(**fields, proof=read_proof(directory))
    stand_in = dev_proof(fields["level"].dev_proof_byte, fields["program_id"], fields["public_values"])
    fields["not_checked"] += (STAND_IN,)
    return FinalResult(**fields, proof=stand_in)


def read_proof(directory: Path) -> bytes:
    """The proof of a result of a level that proves.

    Raises:
        DependencyError: result_damaged.
    """
    try:
        return (directory / _PROOF).read_bytes()
    except OSError as error:
        raise DependencyError(RESULT_DAMAGED, f"{directory}: {error!r}") from error


def _load(directory: Path) -> dict[str, Any]:
    try:
        summary = json.loads((directory / _SUMMARY).read_text())
        public_values = (directory / _PUBLIC_VALUES).read_bytes()
        fields = _fields(directory, summary, public_values)
        consistent = summary["public_values"] == "0x" + public_values.hex()
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        ProtocolError,
    ) as error:
        raise DependencyError(RESULT_DAMAGED, f"{directory}: {error!r}") from error
    if not consistent:
        raise DependencyError(RESULT_DAMAGED, f"{directory}: public_values.bin and result.json differ")
    if fields["level"].needs_prover and not (directory / _PROOF).is_file():
        raise DependencyError(RESULT_DAMAGED, f"{directory}: no {_PROOF}")
    return fields


def _fields(directory: Path, summary: dict[str, Any], public_values: bytes) -> dict[str, Any]:
    return {
        "directory": directory,
        "system": AggregationSystem.from_wire(summary["system"]),
        "level": ProvingLevel(summary["level"]),
        "program_id": bytes.fromhex(summary["program_id"][2:]),
        "public_values": public_values,
        "checked": tuple(summary["checked"]),
        "not_checked": tuple(summary["not_checked"]),
        "cycles": int(summary["cycles"]),
        "seconds": float(summary["seconds"]),
        "peak_rss_bytes": int(summary["peak_rss_bytes"]),
    }
