"""Takes over proofs of fast-mode batches into the queue of the aggregator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry

from aligned.chain.client import ChainClient
from aligned.chain.contracts import ServiceManager
from aligned.chain.deployment import Deployment
from aligned.core.aggregation import AggregationSystem
from aligned.loops import Backoff, repeat
from aligned.proof_aggregator.intake_follower import IntakeFollower
from aligned.proof_aggregator.intake_worker import IntakeMetrics, IntakeWorker, Policy
from aligned.proof_aggregator.schedule import seconds_of_day
from aligned.settings import Settings
from aligned.storage.batch_files import DownloadLimits
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database
from aligned.verifiers.pool import VerifierPool


@dataclass(frozen=True, slots=True)
class Intake:
    """The follower and the worker."""

    follower: IntakeFollower
    worker: IntakeWorker

    def loops(self, stop: asyncio.Event, poll_s: float) -> list[Coroutine[Any, Any, None]]:
        """What must run."""
        return [self.follower.run(stop, poll_s), repeat("intake", self.worker.step, stop, poll_s)]


@asynccontextmanager
async def open_intake(
    settings: Settings,
    deployment: Deployment,
    db: Database,
    client: ChainClient,
    store: ObjectStore,
    registry: CollectorRegistry,
) -> AsyncIterator[Intake]:
    """The intake that the settings describe, with a verifier pool of its own."""
    own = settings.intake
    manager = ServiceManager(client, deployment.service_manager)
    start_block = own.start_block or deployment.deployed_block
    async with VerifierPool(own.verifier_workers, timeout_s=own.verifier_timeout_s) as pool:
        yield Intake(
            IntakeFollower(db, client, manager, start_block, settings.chain.event_confirmations),
            IntakeWorker(db, store, pool, intake_policy(settings), IntakeMetrics(registry)),
        )


def intake_policy(settings: Settings) -> Policy:
    """Bounds and patience as the settings say."""
    own = settings.intake
    return Policy(
        limits=DownloadLimits(
            max_bytes=own.max_batch_bytes,
            max_proofs=own.max_batch_proofs,
            timeout_s=own.download_timeout_s,
            allow_private=own.allow_private_hosts,
            allow_redirects=own.allow_redirects,
            min_bytes_per_s=own.download_min_bytes_per_s,
        ),
        systems=frozenset(map(AggregationSystem.from_wire, settings.proof_aggregator.systems)),
        max_proof_bytes=settings.proof_aggregator.max_proof_bytes,
        max_public_input_bytes=own.max_public_input_bytes,
        daily_at_s=seconds_of_day(own.daily_at),
        lease_s=own.lease_s,
        max_attempts=own.max_attempts,
        backoff=Backoff(own.retry_s, own.max_retry_s),
    )
