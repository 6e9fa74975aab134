"""A batcher process that kills itself at a chosen moment: python -m tests.faults.batcher.process SETTINGS MOMENT.

Moments: "uploading", "uploaded", a step of the transaction sender, or "never".
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from pathlib import Path

from aligned.batcher import context, service
from aligned.chain import connect
from aligned.chain.sender import TxSender
from aligned.settings import Settings
from aligned.storage.objects import ObjectStore
from tests.faults.replaced import replace


def die_at(moment: str, now: str) -> None:
    """As kill -9 does."""
    if moment == now:
        os.kill(os.getpid(), signal.SIGKILL)


class DeadlyStore(ObjectStore):
    """Dies before or after it stored a batch file."""

    moment = "never"

    async def put(self, key: str, data: bytes) -> None:
        die_at(self.moment, "uploading")
        await super().put(key, data)
        die_at(self.moment, "uploaded")


def main(settings_file: str, moment: str) -> None:
    settings = Settings.model_validate_json(Path(settings_file).read_bytes())
    DeadlyStore.moment = moment
    sender = functools.partial(TxSender, on_step=functools.partial(die_at, moment))
    replace(context, ObjectStore=DeadlyStore)
    replace(connect, TxSender=sender)
    asyncio.run(service.run(settings, asyncio.Event()))


if __name__ == "__main__":
    main(*sys.argv[1:])
