"""Puts the gateway together and runs it. Several may run over one database and one object store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog

from aligned.chain.client import ChainClient
from aligned.chain.connect import chain_client, max_head_age_s
from aligned.chain.contracts import AggregationPayments
from aligned.chain.deployment import Deployment, address_bytes
from aligned.chain.vitals import VITALS_POLL_S, Sources, Vitals
from aligned.core.errors import DependencyError
from aligned.gateway.admission import Admission, Stores
from aligned.gateway.app import Parts, build_app
from aligned.gateway.claims import Domain
from aligned.gateway.feed import StateFeed
from aligned.gateway.gate import Gate
from aligned.gateway.metrics import GatewayMetrics
from aligned.gateway.proofs import ProofReader
from aligned.gateway.readiness import Readiness
from aligned.gateway.records import Records
from aligned.gateway.spool import Spool, open_spool
from aligned.gateway.status import PriceFeed, StatusPage, program_ids
from aligned.gateway.submit import Submissions
from aligned.gateway.verification import Verification
from aligned.loops import repeat, run_all
from aligned.serving import serve
from aligned.settings import Settings
from aligned.storage.aggregation import submissions
from aligned.storage.connect import open_database
from aligned.storage.objects import ObjectStore
from aligned.storage.retention import NIGHTLY_POLL_S, Nightly
from aligned.storage.statements import open_statements
from aligned.verifiers.pool import VerifierPool

log = structlog.get_logger(__name__)
_GAUGES_S = 2.0
_READINESS_S = 15.0
_BLOCK_S = 12.0
# A statement without an answer is over by then, done or not.
_KEPT_S = 60.0
# Uploads in pieces of 32 KiB cost about 1 ms of CPU more a proof of 1.3 MB.
_READ_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class Context:
    """Open dependencies of the gateway."""

    settings: Settings
    deployment: Deployment
    stores: Stores
    pool: VerifierPool
    spool: Spool
    chain: ChainClient
    payments: AggregationPayments


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """Opens database, object store, spool, chain and verifiers.

    Raises:
        AlignedError: a setting or dependency is wrong.
    """
    own, network = settings.gateway, settings.chain
    deployment = Deployment.load(network.deployment_file)
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings.database, "aggregation"))
        statements = await stack.enter_async_context(open_statements(db))
        store = ObjectStore.from_url(settings.store.url, settings.store.public_base_url)
        spool = stack.enter_context(open_spool(own.spool_dir))
        client = await stack.enter_async_context(chain_client(network))
        pool = await stack.enter_async_context(
            VerifierPool(own.verifier_workers or None, own.verifier_timeout_s, own.verifier_memory_bytes)
        )
        payments = AggregationPayments(client, deployment.aggregation_payment_service)
        yield Context(settings, deployment, Stores(db, statements, store), pool, spool, client, payments)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Takes and verifies proofs until `stop`.

    Raises:
        AlignedError: a setting or dependency is wrong at start, or an invariant broke.
    """
    async with open_context(settings) as context:
        await Gateway(context).run(stop)


class Gateway:
    """The gateway's parts over their open dependencies."""

    def __init__(self, context: Context) -> None:
        self._context = context
        own, deployment, stores = context.settings.gateway, context.deployment, context.stores
        domain = Domain(deployment.chain_id, address_bytes(deployment.aggregation_payment_service))
        self._metrics = GatewayMetrics()
        self._readiness = _readiness(context)
        self._gate = Gate(own, self._metrics.unnamed)
        self._feed = StateFeed(stores.db)
        self._verification = Verification(
            stores.db,
            stores.statements,
            stores.objects,
            context.pool,
            context.spool,
            self._metrics,
            own.lease_s,
            own.max_verifying,
        )
        admission = Admission(stores, domain, self._gate, context.spool, own.clock_skew_s, own.lease_s)
        proofs = ProofReader(stores.statements, self._feed)
        self._submissions = Submissions(
            own, context.spool, self._gate, admission, self._verification, proofs, self._metrics
        )
        status = StatusPage(
            domain,
            address_bytes(deployment.aggregation_service),
            own,
            PriceFeed(context.payments, own.price_max_age_s),
            program_ids(),
        )
        self.app = build_app(
            Parts(
                own,
                self._gate,
                self._submissions,
                proofs,
                Records(stores.statements, own.clock_skew_s),
                status,
                self._metrics,
                self._ready,
            )
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Runs all loops until `stop`."""
        own = self._context.settings.gateway
        await self._sweep()
        log.info("gateway_started", host=own.host, port=own.port)
        await run_all(
            stop,
            *self._verification.loops(stop),
            self._feed.run(stop),
            repeat("kept_objects", self._look_at_kept, stop, _KEPT_S),
            repeat("gauges", self._show, stop, _GAUGES_S),
            repeat("readiness", self._look_at_readiness, stop, _READINESS_S),
            repeat("vitals", self._vitals().step, stop, VITALS_POLL_S),
            repeat("retention", self._nightly().step, stop, NIGHTLY_POLL_S),
            serve(self.app, own.host, own.port, stop, _READ_BYTES),
        )

    def _vitals(self) -> Vitals:
        context = self._context
        return Vitals(self._metrics.vital, Sources(context.chain, context.stores.db))

    def _nightly(self) -> Nightly:
        context = self._context
        return Nightly(context.stores.db, "aggregation", context.settings.retention, self._metrics)

    async def _sweep(self) -> None:
        """Removes what gateways that were killed left: uploads, and stored proofs that became no row."""
        for leftovers in self._context.spool.leftovers():
            for proof_id in leftovers.proof_ids:
                await self._delete_unneeded(proof_id)
            log.info("leftovers_removed", uploads=len(leftovers.proof_ids))
            leftovers.remove()

    async def _look_at_kept(self) -> bool:
        """Removes stored proofs of which it was not known whether they become rows, or that could not be deleted."""
        for proof_id in self._context.spool.kept(_KEPT_S):
            await self._delete_unneeded(proof_id)
            self._context.spool.drop(proof_id)
        return False

    async def _delete_unneeded(self, proof_id: UUID) -> None:
        stores = self._context.stores
        async with stores.db.transaction() as conn:
            needed = await submissions.needs_object(conn, proof_id)
        if not needed:
            await stores.objects.delete(f"{proof_id.hex}.proof")

    async def _ready(self) -> dict[str, object]:
        if self._feed.stopping:
            raise DependencyError("stopping", "the gateway is stopping")
        return {"verifying": self._verification.waiting} | await self._readiness.check()

    async def _look_at_readiness(self) -> bool:
        """For the alarm: who asks /readyz is a load balancer, which tells nobody why."""
        try:
            await self._readiness.check()
        except DependencyError as error:
            self._metrics.ready(error.code)
        else:
            self._metrics.ready(None)
        return False

    async def _show(self) -> bool:
        in_use = self._metrics.in_use
        in_use.labels("arrivals").set(self._gate.arrivals.total)
        in_use.labels("uploads").set(self._gate.uploads.total)
        in_use.labels("upload_bytes").set(self._gate.upload_bytes.total)
        in_use.labels("waiters").set(self._gate.waits.total)
        in_use.labels("verifying").set(self._verification.waiting)
        return False


def _readiness(context: Context) -> Readiness:
    chain = context.settings.chain
    head_age_s = max_head_age_s(chain)
    confirmed_s = chain.event_confirmations * _BLOCK_S
    max_behind_s = None if head_age_s is None else head_age_s + chain.max_lag_s + confirmed_s
    return Readiness(context.stores, context.pool, context.chain, max_behind_s)
