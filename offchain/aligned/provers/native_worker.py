"""The level `native` as a worker: zkvm/core's guest code on this machine, with every user proof really verified.

Started as `python -m aligned.provers.native_worker SYSTEM`; speaks the protocol of zkvm/prover/protocol, so that its
owner supervises it like the others: a proof that crashes a verifier ends this process and nothing else.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import aligned_native

from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import AlignedError
from aligned.provers.levels import ProvingLevel
from aligned.provers.programs import ProgramIds, load_program_ids
from aligned.provers.results import load_chunk

_PR_SET_PDEATHSIG = 1
# How the extension names a proof that it refuses.
_REFUSED_PROOF = re.compile(r"proof (\d+): ")
_NOT_PROVEN = "no zkVM ran: the guests' code ran natively"

Job = dict[str, Any]


class Refused(Exception):
    """The end of a job as the protocol names it."""

    def __init__(self, code: str, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.answer = {"event": "failed", "code": code, "message": message, "index": index}


def main() -> None:
    """Serves requests until stdin ends."""
    system = AggregationSystem.from_wire(sys.argv[1])
    private = os.dup(1)
    os.dup2(2, 1)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with os.fdopen(private, "wb") as answers:
        ready = {"event": "ready", "system": system.wire_name, "version": "native", "levels": ["native"]}
        _send(answers, ready)
        programs = load_program_ids()[system]
        for line in sys.stdin.buffer:
            request = json.loads(line)
            _send(answers, {"id": request["id"], **_work(system, programs, request)})


def _send(answers: BinaryIO, event: Job) -> None:
    answers.write(json.dumps(event).encode() + b"\n")
    answers.flush()


def _work(system: AggregationSystem, programs: ProgramIds, request: Job) -> Job:
    operations: dict[str, Callable[[AggregationSystem, Job], tuple[bytes, str]]] = {
        "user_proofs": _user_proofs,
        "chunk": _chunk,
    }
    started = time.monotonic()
    if request["op"] not in operations or request["level"] != ProvingLevel.NATIVE:
        return Refused("unsupported", f"{request['op']} at level {request['level']}").answer
    try:
        public_values, checked = operations[request["op"]](system, request)
    except Refused as refused:
        return refused.answer
    except (AlignedError, OSError, ValueError, KeyError) as error:
        return Refused("malformed", str(error)).answer
    done = {
        "level": ProvingLevel.NATIVE,
        "public_values": "0x" + public_values.hex(),
        "cycles": 0,
        "checked": [checked],
        "not_checked": [_NOT_PROVEN],
        "seconds": time.monotonic() - started,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    program = programs.user_proofs if request["op"] == "user_proofs" else programs.chunk
    _store(Path(request["out"]), system, request["op"], program, public_values, done)
    return {"event": "done", "proof": None, **done}


def _user_proofs(system: AggregationSystem, request: Job) -> tuple[bytes, str]:
    def content(files: dict[str, str]) -> tuple[bytes, bytes, bytes]:
        key, public_inputs, proof = (
            Path(files[name]).read_bytes() for name in ("key", "public_inputs", "proof")
        )
        return key, public_inputs, proof

    items = [content(files) for files in request["proofs"]]
    try:
        output = aligned_native.native_user_proofs(system, items)
    except ValueError as error:
        if refused := _REFUSED_PROOF.match(str(error)):
            raise Refused("bad_proof", str(error), int(refused[1])) from error
        raise
    return output, f"{len(items)} user proofs, by the native verifier"


def _chunk(system: AggregationSystem, request: Job) -> tuple[bytes, str]:
    outputs = [load_chunk(Path(chunk["result"])).public_values for chunk in request["chunks"]]
    commitments = [Path(chunk["commitments"]).read_bytes() for chunk in request["chunks"]]
    hashes = [bytes.fromhex(each[2:]) for each in request["versioned_hashes"]]
    output = aligned_native.native_chunk(system, outputs, commitments, hashes)
    return output, f"{len(outputs)} chunks: root and count against their commitments"


def _store(
    out: Path, system: AggregationSystem, program: str, program_id: bytes, public_values: bytes, done: Job
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "public_values.bin").write_bytes(public_values)
    summary = {"system": system.wire_name, "program": program, "program_id": "0x" + program_id.hex(), **done}
    unfinished = out / "result.json.part"
    unfinished.write_text(json.dumps(summary, indent=2))
    unfinished.replace(out / "result.json")


if __name__ == "__main__":
    main()
