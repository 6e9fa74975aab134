"""Runs a role as a process that kills itself at a chosen moment: python -m tests.faults.role ROLE SETTINGS MOMENT.

Moments: a step of the transaction sender (aggregator), "verifying" (operator), or "never".
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from pathlib import Path
from typing import Any

from aligned import settings as settings_module
from aligned.bls_aggregator import service as aggregator_service
from aligned.chain import connect
from aligned.chain.sender import TxSender
from aligned.core.types import VerificationData
from aligned.operator import service as operator_service
from aligned.verifiers.base import Verdict, valid
from tests.faults.replaced import replace


def die() -> None:
    """As kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)


class StubPool:
    """Accepts every proof; dies on the first one when told to."""

    workers = 1

    def __init__(self, dies: bool) -> None:
        self._dies = dies

    async def __aenter__(self) -> StubPool:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def verify(self, data: VerificationData) -> Verdict:
        if self._dies:
            die()
        return valid()


def main(role: str, settings_file: str, moment: str) -> None:
    settings = settings_module.Settings.model_validate_json(Path(settings_file).read_bytes())
    stop = asyncio.Event()
    if role == "aggregator":

        def on_step(step: str) -> None:
            if step == moment:
                die()

        replace(connect, TxSender=functools.partial(TxSender, on_step=on_step))
        asyncio.run(aggregator_service.run(settings, stop))
    else:

        def pool(*_: Any, **__: Any) -> StubPool:
            return StubPool(moment == "verifying")

        replace(operator_service, VerifierPool=pool)
        asyncio.run(operator_service.run(settings, stop))


if __name__ == "__main__":
    main(*sys.argv[1:])
