"""One prover worker, seen from its owner: started, asked, watched, and killed when it does not keep to the protocol.

A worker is a program that reads a JSON request a line from stdin and answers in JSON lines on stdout
(zkvm/prover/protocol). It is ended with all its children when it takes too long or too much memory, answers nonsense or
is no longer wanted; the next job starts a fresh one.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aligned.core.errors import AlignedError
from aligned.provers.errors import (
    PROVER_CRASHED,
    PROVER_FAILED,
    PROVER_OUT_OF_MEMORY,
    PROVER_PROTOCOL,
    PROVER_START,
    PROVER_TIMEOUT,
    BadProof,
    JobMalformed,
    ProverFailed,
    UnsupportedLevel,
)
from aligned.provers.memory import resident_bytes

_MAX_LINE_BYTES = 1 << 20
_MEMORY_CHECK_S = 0.5
_START_TIMEOUT_S = 60.0
_MAX_MESSAGE_CHARS = 500

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """How a worker is started.

    Attributes:
        identity: changes with the programs that it runs, so that results of others are not taken for its own.
        environment: all of it.
        memory_bytes: resident memory, children included, above which it is killed.
        log: file that its stderr is added to.
    """

    arguments: Sequence[str]
    identity: bytes
    environment: Mapping[str, str]
    memory_bytes: int
    log: Path


class Worker:
    """A running worker; one job at a time."""

    def __init__(self, process: Process, command: WorkerCommand) -> None:
        self._process = process
        self._command = command
        self.ready: Event = {}

    @classmethod
    async def start(cls, command: WorkerCommand) -> Worker:
        """Starts a worker and waits for its first line.

        Raises:
            UnsupportedLevel: the program is not there.
            ProverFailed: prover_start.
        """
        command.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with command.log.open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    *command.arguments,
                    stdin=PIPE,
                    stdout=PIPE,
                    stderr=log,
                    env=dict(command.environment),
                    start_new_session=True,
                    limit=_MAX_LINE_BYTES,
                )
        except FileNotFoundError as error:
            raise UnsupportedLevel(
                f"no prover worker at {command.arguments[0]}: tools/build_prover.sh"
            ) from error
        except OSError as error:
            raise ProverFailed(PROVER_START, f"{command.arguments[0]}: {error!r}") from error
        worker = cls(process, command)
        try:
            worker.ready = await asyncio.wait_for(worker._read_ready(), _START_TIMEOUT_S)
        except BaseException as error:
            await worker.kill()
            if isinstance(error, TimeoutError | AlignedError):
                raise ProverFailed(
                    PROVER_START, f"{command.arguments[0]}: {error or 'no first line'}"
                ) from error
            raise
        return worker

    @property
    def is_alive(self) -> bool:
        """Whether it can be given a job."""
        return self._process.returncode is None

    async def ask(self, request: Event, timeout_s: float, on_step: Callable[[str, float], None]) -> Event:
        """Has one job done; returns the `done` event.

        Raises:
            BadProof, UnsupportedLevel, JobMalformed: as the worker says; it lives on.
            ProverFailed: the worker is dead then, unless it says itself that it failed.
        """
        job = asyncio.create_task(self._exchange(request, on_step))
        watch = asyncio.create_task(self._watch_memory())
        try:
            done, _ = await asyncio.wait({job, watch}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if job in done:
                return job.result()
            await self.kill()
            if watch in done:
                limit = self._command.memory_bytes
                raise ProverFailed(
                    PROVER_OUT_OF_MEMORY, f"took {watch.result()} bytes of memory, limit {limit}"
                )
            raise ProverFailed(PROVER_TIMEOUT, f"no result within {timeout_s:g} s")
        except asyncio.CancelledError:
            await self.kill()
            raise
        finally:
            for task in (job, watch):
                task.cancel()
            await asyncio.gather(job, watch, return_exceptions=True)

    async def kill(self) -> None:
        """Ends the worker with its children and reaps it."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()

    async def _watch_memory(self) -> int:
        while True:
            taken = resident_bytes(self._process.pid)
            if taken > self._command.memory_bytes:
                return taken
            await asyncio.sleep(_MEMORY_CHECK_S)

    async def _exchange(self, request: Event, on_step: Callable[[str, float], None]) -> Event:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
            await stdin.drain()
        except OSError as error:
            raise await self._crashed() from error
        while True:
            event = await self._read_event(request["id"])
            match event["event"]:
                case "progress":
                    on_step(str(event.get("step"))[:_MAX_MESSAGE_CHARS], time.monotonic())
                case "done":
                    return event
                case "failed":
                    raise _failure(event)
                case other:
                    raise await self._nonsense(f"event {str(other)[:80]!r}")

    async def _read_ready(self) -> Event:
        event = await self._read_event(None)
        if event["event"] == "failed":
            raise _failure(event)
        if event["event"] != "ready":
            raise await self._nonsense("the first line is not `ready`")
        return event

    async def _read_event(self, job_id: str | None) -> Event:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            line = await stdout.readline()
            if not line:
                raise await self._crashed()
            event = json.loads(line)
            # A request that the worker cannot read has no id that it could answer with.
            if isinstance(event["event"], str) and event.get("id") in {job_id, None}:
                return dict(event)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise await self._nonsense(repr(error)) from error
        raise await self._nonsense(f"an answer for {event.get('id')!r}, not {job_id!r}")

    async def _nonsense(self, text: str) -> ProverFailed:
        await self.kill()
        return ProverFailed(
            PROVER_PROTOCOL, f"the worker did not keep to the protocol: {text[:_MAX_MESSAGE_CHARS]}"
        )

    async def _crashed(self) -> ProverFailed:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 1.0)
        status = self._process.returncode
        await self.kill()
        if status is not None and status < 0:
            return ProverFailed(PROVER_CRASHED, f"the worker was ended by {signal.Signals(-status).name}")
        return ProverFailed(PROVER_CRASHED, f"the worker ended with status {status}, see {self._command.log}")


def _failure(event: Event) -> AlignedError:
    """The error that a worker's answer stands for."""
    message, index = str(event.get("message"))[:_MAX_MESSAGE_CHARS], event.get("index")
    match event.get("code"):
        case "bad_proof":
            return BadProof(message, index if isinstance(index, int) else None)
        case "unsupported":
            return UnsupportedLevel(message)
        case "malformed":
            return JobMalformed(message)
        case other:
            return ProverFailed(PROVER_FAILED, f"{str(other)[:80]}: {message}")
