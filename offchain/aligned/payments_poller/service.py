"""Puts the payments poller together and runs it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import asdict

import structlog

from aligned.chain.connect import chain_client
from aligned.chain.contracts import AggregationPayments
from aligned.chain.deployment import Deployment
from aligned.chain.vitals import VITALS_POLL_S, Sources, Vitals
from aligned.loops import repeat, run_all
from aligned.payments_poller.follower import CURSOR_NAME, Follower
from aligned.payments_poller.metrics import PollerMetrics
from aligned.serving import create_app, serve
from aligned.settings import Settings
from aligned.storage.connect import open_database
from aligned.storage.retention import NIGHTLY_POLL_S, Nightly

_GAUGES_S = 5.0
log = structlog.get_logger(__name__)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Follows the payments until `stop`.

    Raises:
        AlignedError: a setting or dependency is wrong at start, or an event cannot be right.
    """
    deployment = Deployment.load(settings.chain.deployment_file)
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings.database, "aggregation"))
        client = await stack.enter_async_context(chain_client(settings.chain))
        metrics = PollerMetrics()
        follower = Follower(
            db,
            client,
            AggregationPayments(client, deployment.aggregation_payment_service),
            settings.poller.start_block or deployment.deployed_block,
            settings.chain.event_confirmations,
            metrics,
        )
        nightly = Nightly(db, "aggregation", settings.retention, metrics)
        vitals = Vitals(metrics.vital, Sources(client, db), {CURSOR_NAME: follower.lag_blocks})
        await _follow(settings, follower, nightly, vitals, metrics, stop)


async def _follow(
    settings: Settings,
    follower: Follower,
    nightly: Nightly,
    vitals: Vitals,
    metrics: PollerMetrics,
    stop: asyncio.Event,
) -> None:
    async def ready() -> dict[str, object]:
        follower.check_alive(settings.chain.max_lag_s)
        return asdict(await follower.progress())

    async def show() -> bool:
        await follower.progress()
        return False

    app = create_app("Aligned payments poller", ready, metrics.render)
    log.info("payments_poller_started")
    await run_all(
        stop,
        follower.run(stop, settings.chain.poll_s),
        repeat("gauges", show, stop, _GAUGES_S),
        repeat("vitals", vitals.step, stop, VITALS_POLL_S),
        repeat("retention", nightly.step, stop, NIGHTLY_POLL_S),
        serve(app, settings.poller.host, settings.poller.port, stop),
    )
