"""One worker process, seen from the pool."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

from aligned.core.errors import VERIFIER_CRASHED, VERIFIER_TIMEOUT, DependencyError, ProofError
from aligned.core.types import VerificationData
from aligned.verifiers.base import Verdict
from aligned.verifiers.framing import LENGTH, MAX_VERDICT_BYTES, pack_proof, unpack_verdict
from aligned.verifiers.worker import OUT_OF_MEMORY_STATUS

_START_TIMEOUT_S = 60.0
_PIPE_BYTES = 1 << 20
_END_TIMEOUT_S = 1.0
# All that a worker gets of the environment: no secret of the service is in reach of a hostile proof. RISC0_DEV_MODE
# is passed on because the native extension refuses to run with it.
_PASSED_ON = (
    "PATH",
    "PYTHONPATH",
    "HOME",
    "LANG",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "TMPDIR",
    "RISC0_DEV_MODE",
)
# Parallelism is one proof per process, so threads within one would only eat memory and each other's time.
_ENVIRONMENT = {"RAYON_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


def _widen(process: Process) -> None:
    """Lets most proofs pass to the worker in one piece, so that it does not wait for our event loop in between."""
    assert process.stdin is not None
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # too many such pipes: slower, not wrong
            fcntl.fcntl(process.stdin.transport.get_extra_info("pipe"), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _signal_name(number: int) -> str:
    """Most real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _not_started(error: Exception) -> DependencyError:
    return DependencyError("verifier_start", f"a verifier process did not start: {error!r}")


class Child:
    """A running worker. It is killed, never asked, when it does not answer as agreed."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, memory_bytes: int) -> Child:
        """Starts a worker and waits until its verifiers are loaded.

        Raises:
            DependencyError: verifier_start.
        """
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | _ENVIRONMENT
        command = (sys.executable, "-m", "aligned.verifiers.worker", str(memory_bytes))
        try:
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=environment)
        except OSError as error:  # no memory, processes or descriptors left at this moment
            raise _not_started(error) from error
        _widen(process)
        child = cls(process)
        try:
            await asyncio.wait_for(child._read_verdict(), _START_TIMEOUT_S)
        except BaseException as error:
            await child.kill()
            if isinstance(error, OSError | ValueError | EOFError | TimeoutError):
                raise _not_started(error) from error
            raise
        return child

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    async def verify(
        self, data: VerificationData, timeout_s: float, proof_file: Path | None = None
    ) -> Verdict:
        """The verdict of the worker; `proof_file` as in `pack_proof`.

        Raises:
            ProofError: verifier_timeout or verifier_crashed. The worker is dead then.
        """
        try:
            return await asyncio.wait_for(self._exchange(pack_proof(data, proof_file)), timeout_s)
        except TimeoutError as error:
            await self.kill()
            raise ProofError(VERIFIER_TIMEOUT, f"no verdict within {timeout_s:g} s") from error
        except (OSError, EOFError, ValueError) as error:
            await self._end()
            raise ProofError(VERIFIER_CRASHED, self._cause()) from error
        except asyncio.CancelledError:
            await self.kill()
            raise

    async def _end(self) -> None:
        """Lets a process that closed its pipe end with its own status; asyncio loses it if it is killed meanwhile."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _END_TIMEOUT_S)
        await self.kill()

    async def kill(self) -> None:
        """Ends the process and reaps it."""
        if self._process.returncode is None:
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()

    async def _exchange(self, request: bytes) -> Verdict:
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(request)
        await stdin.drain()
        return await self._read_verdict()

    async def _read_verdict(self) -> Verdict:
        stdout = self._process.stdout
        assert stdout is not None
        (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
        if length > MAX_VERDICT_BYTES:
            raise ValueError(f"a verdict of {length} bytes")
        return unpack_verdict(await stdout.readexactly(length))

    def _cause(self) -> str:
        status = self._process.returncode
        if status == OUT_OF_MEMORY_STATUS:
            return "the verifier ran out of memory"
        if status is not None and status < 0:
            return f"the verifier was ended by {_signal_name(-status)}"
        return f"the verifier ended with status {status}"
