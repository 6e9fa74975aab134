"""A proof aggregator that kills itself at a chosen moment.

python -m tests.faults.proof_aggregator.process SETTINGS MOMENT; moments: see MOMENTS, or "never".
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aligned.chain import connect
from aligned.chain.sender import TxSender
from aligned.proof_aggregator import service
from aligned.proof_aggregator.context import Line
from aligned.provers.base import ChunkResult, FinalResult
from aligned.settings import Settings
from aligned.storage.aggregation import aggregations, chunks
from tests.faults.replaced import replace
from tests.integration.proof_aggregator.engine import ScriptedEngine
from tests.integration.proof_aggregator.harness import PROGRAMS, RISC0, SP1

# Each "…ing" is in a transaction that has written its rows and is not committed.
STORAGE_MOMENTS: dict[str, tuple[Any, str]] = {
    "claiming": (chunks, "create"),
    "finishing_chunk": (chunks, "finish"),
    "joining": (aggregations, "create"),
    "recording_proof": (aggregations, "record_proof"),
    "submitting": (aggregations, "submitted"),
    "recording_mined": (aggregations, "mined"),
    "finalising": (aggregations, "final"),
}
# In the order of their coming.
MOMENTS = (
    "claiming",
    "proving_chunk",
    "finishing_chunk",
    "joining",
    "proving_final",
    "recording_proof",
    "submitting",
    "simulated",
    "journaled",
    "broadcast",
    "mined",
    "settled",
    "recording_mined",
    "finalising",
)


class DeadlyEngine(ScriptedEngine):
    """Dies in the middle of a job."""

    moment = "never"

    async def user_proofs(self, *args: Any) -> ChunkResult:
        result = await super().user_proofs(*args)
        at(self.moment, "proving_chunk")
        return result

    async def chunk(self, *args: Any) -> FinalResult:
        result = await super().chunk(*args)
        at(self.moment, "proving_final")
        return result


def at(moment: str, now: str) -> None:
    """As kill -9 does."""
    if moment == now:
        os.kill(os.getpid(), signal.SIGKILL)


def deadly(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The function, and death before its caller can commit."""

    @functools.wraps(function)
    async def dying(*args: Any, **keywords: Any) -> Any:
        await function(*args, **keywords)
        os.kill(os.getpid(), signal.SIGKILL)

    return dying


def main(settings_file: str, moment: str) -> None:
    settings = Settings.model_validate_json(Path(settings_file).read_bytes())
    if moment in STORAGE_MOMENTS:
        module, name = STORAGE_MOMENTS[moment]
        setattr(module, name, deadly(getattr(module, name)))
    engine = DeadlyEngine(settings.proof_aggregator.result_dir / "results", PROGRAMS)
    engine.moment = moment

    async def lines(*_: object) -> dict[Any, Line]:
        return {system: Line(system, engine, PROGRAMS[system]) for system in (SP1, RISC0)}

    sender = functools.partial(TxSender, on_step=lambda step: at(moment, step), poll_s=0.05)
    replace(service, open_lines=lines)
    replace(connect, TxSender=sender)
    asyncio.run(service.run(settings, asyncio.Event()))


if __name__ == "__main__":
    main(*sys.argv[1:])
