"""Puts the aggregator together and runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from aligned.bls_aggregator.app import build_app
from aligned.bls_aggregator.ballots import BallotBox
from aligned.bls_aggregator.collector import Collector, Patience
from aligned.bls_aggregator.follower import CURSOR_NAME, Follower
from aligned.bls_aggregator.intake import Domain, Intake
from aligned.bls_aggregator.metrics import AggregatorMetrics
from aligned.bls_aggregator.preparer import Chain
from aligned.bls_aggregator.tasks import TaskStore
from aligned.chain.accounts import role_account
from aligned.chain.connect import chain_client, tx_sender
from aligned.chain.contracts import OperatorRegistry, ServiceManager
from aligned.chain.deployment import Deployment
from aligned.chain.sender import TxSender
from aligned.chain.vitals import VITALS_POLL_S, Sources, Vitals
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError
from aligned.loops import Backoff, repeat, run_all
from aligned.serving import serve
from aligned.settings import Settings
from aligned.storage.connect import open_database
from aligned.storage.postgres import Database
from aligned.storage.retention import NIGHTLY_POLL_S, Nightly

log = structlog.get_logger(__name__)
# How often votes in the database are looked at; a reached quorum should not wait for a slow chain poll.
_COLLECT_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Context:
    """Open dependencies of the aggregator."""

    settings: Settings
    deployment: Deployment
    db: Database
    chain: Chain
    sender: TxSender


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """Opens database, chain and account.

    Raises:
        AlignedError: a setting, key or dependency is wrong.
    """
    deployment = Deployment.load(settings.chain.deployment_file)
    network = settings.chain
    account = role_account(settings.aggregator, network.chain_id)
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings.database, "aggregator"))
        client = await stack.enter_async_context(chain_client(network))
        sender = tx_sender(network, db, client, account)
        chain = Chain(
            client,
            ServiceManager(client, deployment.service_manager),
            OperatorRegistry(client, deployment.operator_registry),
        )
        yield Context(settings, deployment, db, chain, sender)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Collects and answers until `stop`.

    Raises:
        AlignedError: a setting, key or dependency is wrong at start, or an invariant broke.
    """
    async with open_context(settings) as context:
        await Aggregator(context).run(stop)


class Aggregator:
    """The aggregator's parts over their open dependencies."""

    def __init__(self, context: Context) -> None:
        own = context.settings.aggregator
        self._context = context
        self._follower: Follower | None = None
        self._metrics = AggregatorMetrics()
        self._retention = Nightly(context.db, "aggregator", context.settings.retention, self._metrics)
        self._tasks = TaskStore(context.db)
        self._ballots = BallotBox(context.db)
        patience = Patience(
            own.late_signer_wait_s,
            own.recheck_s,
            own.lease_s,
            own.task_timeout_s,
            Backoff(own.recheck_s, own.max_retry_s),
            own.answer_min_fee_percent,
            own.give_up_after_s,
        )
        self._collector = Collector(
            self._tasks, self._ballots, context.chain, context.sender, patience, self._metrics
        )
        domain = Domain(context.deployment.chain_id, context.chain.manager.address)
        intake = Intake(self._ballots, domain, own.unknown_task_wait_s)
        self.app = build_app(intake, self._tasks, self._ballots, self._metrics, own, self._ready)

    async def run(self, stop: asyncio.Event) -> None:
        """Runs all loops until `stop`."""
        settings = self._context.settings
        own = settings.aggregator
        log.info("aggregator_started", address=self._context.sender.address, host=own.host, port=own.port)
        self._follower = await self._open_follower()
        await run_all(
            stop,
            self._follower.run(stop, settings.chain.poll_s),
            *(
                repeat("collect", self._collector.step, stop, _COLLECT_POLL_S)
                for _ in range(own.task_workers)
            ),
            repeat("vitals", self._vitals(self._follower).step, stop, VITALS_POLL_S),
            repeat("retention", self._retention.step, stop, NIGHTLY_POLL_S),
            serve(self.app, own.host, own.port, stop),
        )

    def _vitals(self, follower: Follower) -> Vitals:
        context = self._context
        sources = Sources(context.chain.client, context.db, context.sender)
        return Vitals(self._metrics.vital, sources, {CURSOR_NAME: follower.lag_blocks})

    async def _open_follower(self) -> Follower:
        context = self._context
        chain = context.chain
        # Older tasks can no longer be answered; a stored cursor goes on where it was in any case.
        window = (await chain.manager.config()).response_window_blocks
        start = max(context.deployment.deployed_block, await chain.client.block_number() - window)
        confirmations = context.settings.chain.event_confirmations
        return Follower(context.db, chain.client, chain.manager, self._tasks, start, confirmations)

    async def _ready(self) -> dict[str, object]:
        head = await self._context.chain.client.block_number()
        credited = await self._context.chain.manager.balance_of(self._context.sender.address)
        if self._follower is None:
            raise DependencyError(CHAIN_UNAVAILABLE, "the aggregator is starting")
        self._follower.check_alive(self._context.settings.chain.max_lag_s)
        return {
            "head": head,
            "lag_blocks": await self._follower.lag_blocks(head),
            "open_tasks": await self._tasks.open_count(),
            "credited_wei": str(credited),
        }
