"""A worker of the pool: reads proofs from stdin, writes verdicts to stdout, one at a time.

Started as `python -m aligned.verifiers.worker MEMORY_BYTES`. It ends with its parent: at the end of stdin, and on Linux
by a signal even while a verifier hangs.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from aligned.core.errors import INTERNAL_ERROR, PROOF_UNREADABLE, AlignedError, DependencyError
from aligned.core.types import VerificationData
from aligned.verifiers.base import Verdict, check_size, refused
from aligned.verifiers.framing import LENGTH, pack_verdict, unpack_proof
from aligned.verifiers.registry import supported_systems, verifier_of

OUT_OF_MEMORY_STATUS = 71
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serves proofs until stdin ends."""
    verdicts = _take_stdout()
    _die_with_parent()
    supported_systems()  # all verifiers are loaded before the memory is limited and the first proof is timed
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _answer(verdicts, Verdict(True, "ready"))
    try:
        _serve(sys.stdin.buffer, verdicts)
    except MemoryError:
        os._exit(OUT_OF_MEMORY_STATUS)


def _serve(proofs: BinaryIO, verdicts: BinaryIO) -> None:
    while head := proofs.read(LENGTH.size):
        body = proofs.read(LENGTH.unpack(head)[0])
        start = time.perf_counter()
        verdict = _verify(*unpack_proof(body))
        _answer(verdicts, Verdict(verdict.valid, verdict.code, verdict.reason, time.perf_counter() - start))


def _verify(data: VerificationData, proof_file: Path | None) -> Verdict:
    try:
        verifier = verifier_of(data)
        if proof_file is not None:
            data = _with_file(data, proof_file, verifier.max_proof_bytes)
        return check_size(verifier, data) or verifier.verify(data)
    except AlignedError as error:
        return refused(error.code, error.message)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a plugged-in verifier may raise anything; its proof is refused
        return refused(INTERNAL_ERROR, f"{type(error).__name__}: {error}")


def _with_file(data: VerificationData, proof_file: Path, max_bytes: int) -> VerificationData:
    """With the proof from its file, as far as the verifier would look at it."""
    try:
        with proof_file.open("rb", buffering=0) as file:
            return replace(data, proof=file.read(max_bytes + 1))
    except OSError as error:
        raise DependencyError(PROOF_UNREADABLE, str(error)) from error


def _answer(verdicts: BinaryIO, verdict: Verdict) -> None:
    verdicts.write(pack_verdict(verdict))
    verdicts.flush()


def _take_stdout() -> BinaryIO:
    """Keeps stdout for verdicts; whatever a library prints goes to stderr."""
    private = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(private, "wb")


def _die_with_parent() -> None:
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


if __name__ == "__main__":
    main()
