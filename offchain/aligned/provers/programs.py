"""The aggregating programs of this release: zkvm/elf/program_ids.json, which zkvm/build.sh writes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import InvariantError

UNKNOWN_PROGRAM = "unknown_program"
# The package is used from a checkout: the programs' binaries are beside the file.
PROGRAMS: Final = Path(__file__).resolve().parents[3] / "zkvm" / "elf"
PROGRAM_IDS: Final = PROGRAMS / "program_ids.json"
_ID = re.compile(r"0x[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ProgramIds:
    """Both programs of a system: SP1's verifying key hashes in bytes32 form, RISC0's image ids; 32 bytes each.

    Attributes:
        user_proofs: verifies the users' proofs of a chunk.
        chunk: verifies the chunks; its proofs are those that the contract takes.
    """

    user_proofs: bytes
    chunk: bytes


def load_program_ids(path: Path = PROGRAM_IDS) -> Mapping[AggregationSystem, ProgramIds]:
    """Programs of every system.

    Raises:
        InvariantError: unknown_program, if the file is missing or does not name all of them.
    """
    try:
        stored = json.loads(path.read_text())
        return {system: _ids(stored[system.wire_name]) for system in AggregationSystem}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvariantError(UNKNOWN_PROGRAM, f"{path}: {error!r}; zkvm/build.sh writes it") from error


def _ids(programs: dict[str, Any]) -> ProgramIds:
    return ProgramIds(*(_id(programs[name]["program_id"]) for name in ("user_proofs", "chunk")))


def _id(text: str) -> bytes:
    if _ID.fullmatch(text) is None or int(text, 16) == 0:
        raise ValueError(f"not a program id: {text[:80]!r}")
    return bytes.fromhex(text[2:])
