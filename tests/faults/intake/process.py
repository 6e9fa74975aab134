"""An intake that kills itself at a chosen moment: python -m tests.faults.intake.process SETTINGS MOMENT.

Moments: see MOMENTS; "never".
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from aligned.chain.client import ChainClient
from aligned.chain.deployment import Deployment
from aligned.core.types import VerificationData
from aligned.loops import run_all
from aligned.proof_aggregator import intake, intake_worker
from aligned.settings import Settings
from aligned.storage.aggregation import intake as rows
from aligned.storage.connect import open_database
from aligned.storage.objects import ObjectStore
from aligned.verifiers.base import Verdict, valid
from tests.faults.replaced import replace

MOMENTS = ("fetched", "verified", "stored", "taking", "taken")


class Death:
    """Comes at a moment."""

    moment = "never"

    @classmethod
    def at(cls, now: str) -> None:
        """As kill -9 does."""
        if now == cls.moment:
            os.kill(os.getpid(), signal.SIGKILL)


class StubPool:
    """Accepts every proof."""

    def __init__(self, *_args: object, **_options: object) -> None:
        pass

    async def __aenter__(self) -> StubPool:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def verify_all(self, proofs: Sequence[VerificationData]) -> list[Verdict]:
        Death.at("fetched")
        return [valid() for _ in proofs]


class DeadlyStore(ObjectStore):
    """Dies before or after it stored a proof."""

    async def put(self, key: str, data: bytes) -> None:
        Death.at("verified")
        await super().put(key, data)
        Death.at("stored")


class DeadlyWorker(intake_worker.IntakeWorker):
    """Dies once a batch is done."""

    async def step(self) -> bool:
        worked = await super().step()
        if worked:
            Death.at("taken")
        return worked


_take = rows.take


async def _deadly_take(*args: Any) -> None:
    await _take(*args)
    Death.at("taking")


async def run(settings: Settings) -> None:
    stop = asyncio.Event()
    deployment = Deployment.load(settings.chain.deployment_file)
    store = DeadlyStore.from_url(settings.store.url, settings.store.public_base_url)
    async with (
        open_database(settings.database, "aggregation") as db,
        ChainClient(settings.chain.rpc_urls, settings.chain.chain_id) as client,
        intake.open_intake(settings, deployment, db, client, store, CollectorRegistry()) as opened,
    ):
        await run_all(stop, *opened.loops(stop, 0.05))


def main(settings_file: str, moment: str) -> None:
    settings = Settings.model_validate_json(Path(settings_file).read_bytes())
    Death.moment = moment
    replace(intake, VerifierPool=StubPool, IntakeWorker=DeadlyWorker)
    replace(rows, take=_deadly_take)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main(*sys.argv[1:])
