"""Puts the operator together and runs it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import httpx
import structlog

from aligned.chain.accounts import operator_bls_key, role_account
from aligned.chain.connect import chain_client
from aligned.chain.contracts import OperatorRegistry, ServiceManager
from aligned.chain.deployment import Deployment
from aligned.chain.vitals import VITALS_POLL_S, Sources, Vitals
from aligned.core.bls import SecretKey
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError
from aligned.loops import Backoff, repeat, run_all
from aligned.observability import redact_url
from aligned.operator.follower import CURSOR_NAME, Follower, first_useful_block
from aligned.operator.metrics import OperatorMetrics
from aligned.operator.processor import Chain, Identity, Policy, Processor, Slots
from aligned.operator.reporter import Expiry, Patience, Reporter
from aligned.operator.reports import ReportStore
from aligned.operator.tasks import TaskStore
from aligned.serving import create_app, serve
from aligned.settings import OperatorSettings, Settings
from aligned.storage.batch_files import DownloadLimits
from aligned.storage.connect import open_database
from aligned.storage.postgres import Database
from aligned.storage.retention import NIGHTLY_POLL_S, Nightly
from aligned.verifiers.pool import VerifierPool
from aligned.verifiers.registry import supported_systems

log = structlog.get_logger(__name__)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Follows, verifies and votes until `stop`.

    Raises:
        AlignedError: a setting, key or dependency is wrong at start, or an invariant broke.
    """
    own = settings.operator
    deployment = Deployment.load(settings.chain.deployment_file)
    secret = operator_bls_key(own, settings.chain.chain_id)
    identity = _identity(settings, deployment, secret)
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings.database, "operator"))
        client = await stack.enter_async_context(chain_client(settings.chain))
        pool = await stack.enter_async_context(
            VerifierPool(own.verifier_workers or None, timeout_s=own.verifier_timeout_s)
        )
        http = await stack.enter_async_context(
            httpx.AsyncClient(timeout=own.report_timeout_s, trust_env=False)
        )
        chain = Chain(
            client,
            ServiceManager(client, deployment.service_manager),
            OperatorRegistry(client, deployment.operator_registry),
        )
        await Operator(settings, deployment, identity, chain, db, pool, http).run(stop)


def _identity(settings: Settings, deployment: Deployment, secret: SecretKey) -> Identity:
    return Identity(
        secret=secret,
        operator_id=secret.operator_id(),
        address=bytes.fromhex(role_account(settings.operator, settings.chain.chain_id).address[2:]),
        chain_id=deployment.chain_id,
        service_manager=bytes.fromhex(deployment.service_manager[2:]),
    )


class Operator:
    """The operator's parts over their open dependencies."""

    def __init__(
        self,
        settings: Settings,
        deployment: Deployment,
        identity: Identity,
        chain: Chain,
        db: Database,
        pool: VerifierPool,
        http: httpx.AsyncClient,
    ) -> None:
        own = settings.operator
        backoff = Backoff(own.retry_s, own.max_retry_s)
        self._settings = settings
        self._deployment = deployment
        self._identity = identity
        self._chain = chain
        self._db = db
        self._follower: Follower | None = None
        self._metrics = OperatorMetrics()
        self._retention = Nightly(db, "operator", settings.retention, self._metrics)
        self._tasks = TaskStore(db, own.aggregator_urls)
        policy = _policy(own, pool.workers, backoff)
        self._steps = policy.slots.steps
        self._processor = Processor(self._tasks, chain, identity, pool, policy, self._metrics)
        self._reports = ReportStore(db)
        self._expiry = Expiry(self._reports, chain.manager, own.retry_s)
        patience = Patience(own.report_timeout_s, backoff)
        self._reporters = [
            Reporter(url, self._reports, identity.operator_id, http, patience, self._metrics)
            for url in own.aggregator_urls
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Runs all loops until `stop`."""
        own, poll_s = self._settings.operator, self._settings.chain.poll_s
        await self._tasks.bind_to(self._identity.operator_id)
        app = create_app("Aligned operator", self._ready, self._metrics.render)
        log.info("operator_started", operator_id=self._identity.operator_id, address=self._identity.address)
        self._follower = await self._open_follower()
        await run_all(
            stop,
            self._follower.run(stop, poll_s),
            *(repeat("process", self._processor.step, stop, poll_s) for _ in range(self._steps)),
            *(
                repeat("report", reporter.step, stop, poll_s)
                for reporter in self._reporters
                for _ in range(own.report_workers)
            ),
            repeat("vitals", self._vitals(self._follower).step, stop, VITALS_POLL_S),
            repeat("gauges", self._show, stop, VITALS_POLL_S),
            repeat("expire", self._expiry.step, stop, poll_s),
            repeat("retention", self._retention.step, stop, NIGHTLY_POLL_S),
            serve(app, own.host, own.port, stop),
        )

    def _vitals(self, follower: Follower) -> Vitals:
        sources = Sources(self._chain.client, self._db)
        return Vitals(self._metrics.vital, sources, {CURSOR_NAME: follower.lag_blocks})

    async def _show(self) -> bool:
        found = await self._reports.waiting()
        for url in self._settings.operator.aggregator_urls:
            self._metrics.reports_waiting.labels(redact_url(url)).set(found.get(url, 0))
        return False

    async def _open_follower(self) -> Follower:
        chain, deployment = self._chain, self._deployment
        start = await first_useful_block(chain.client, chain.manager, deployment.deployed_block)
        await self._reports.adopt(self._settings.operator.aggregator_urls, start)
        confirmations = self._settings.chain.event_confirmations
        return Follower(self._db, chain.client, chain.manager, self._tasks, start, confirmations)

    async def _ready(self) -> dict[str, object]:
        registered = await self._chain.registry.is_registered(self._identity.address)
        head = await self._chain.client.block_number()
        if self._follower is None:
            raise DependencyError(CHAIN_UNAVAILABLE, "the operator is starting")
        self._follower.check_alive(self._settings.chain.max_lag_s)
        return {
            "registered": registered,
            "head": head,
            "lag_blocks": await self._follower.lag_blocks(head),
            "open_tasks": await self._tasks.open_counts(),
        }


def _policy(own: OperatorSettings, workers: int, backoff: Backoff) -> Policy:
    limits = DownloadLimits(
        max_bytes=own.max_batch_bytes,
        max_proofs=own.max_batch_proofs,
        timeout_s=own.download_timeout_s,
        allow_private=own.allow_private_hosts,
        allow_redirects=own.allow_redirects,
        min_bytes_per_s=own.download_min_bytes_per_s,
    )
    return Policy(
        limits=limits,
        supported=frozenset(supported_systems()),
        # Twice as many as workers: the next proof is there when one is done.
        parallel=2 * workers,
        lease_s=own.lease_s,
        backoff=backoff,
        give_up_blocks=own.give_up_blocks,
        slots=Slots(own.download_workers, own.task_workers),
        sender_tasks=own.sender_tasks,
    )
