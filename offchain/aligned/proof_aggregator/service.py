"""Puts the proof aggregator together and runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from aligned.chain.accounts import role_account
from aligned.chain.connect import chain_client, tx_sender
from aligned.chain.contracts import AggregationService
from aligned.chain.deployment import Deployment
from aligned.chain.kzg import trusted_setup
from aligned.chain.vitals import VITALS_POLL_S, Sources, Vitals
from aligned.loops import Backoff, repeat, run_all
from aligned.proof_aggregator.budget import Costs
from aligned.proof_aggregator.chunk_prover import ChunkProver
from aligned.proof_aggregator.cleaner import Cleaner
from aligned.proof_aggregator.context import Context, Patience
from aligned.proof_aggregator.final_prover import FinalProver
from aligned.proof_aggregator.follower import Follower
from aligned.proof_aggregator.intake import Intake, open_intake
from aligned.proof_aggregator.lines import engine_dir, open_lines
from aligned.proof_aggregator.metrics import ProofAggregatorMetrics
from aligned.proof_aggregator.planner import Planner
from aligned.proof_aggregator.publisher import Publisher
from aligned.proof_aggregator.revocations import CURSOR_NAME, Revocations
from aligned.proof_aggregator.schedule import seconds_of_day
from aligned.proof_aggregator.status import Reader, Status
from aligned.proof_aggregator.triggers import Policy
from aligned.serving import create_app, serve
from aligned.settings import ProofAggregatorSettings, Settings
from aligned.storage.connect import open_database
from aligned.storage.objects import ObjectStore
from aligned.storage.retention import NIGHTLY_POLL_S, Nightly

_GWEI = 10**9
_CLEAN_S = 10.0
_GAUGES_S = 10.0
log = structlog.get_logger(__name__)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Aggregates until `stop`.

    Raises:
        AlignedError: a setting, key or dependency is wrong at start, or an invariant broke.
    """
    async with open_context(settings) as context, _open_intake(settings, context) as intake:
        await ProofAggregator(settings, context, intake).run(stop)


@asynccontextmanager
async def _open_intake(settings: Settings, context: Context) -> AsyncIterator[Intake | None]:
    """The intake of fast-mode batches, where it is enabled."""
    if not settings.intake.enabled:
        yield None
        return
    deployment = Deployment.load(settings.chain.deployment_file)
    registry = context.metrics.registry
    async with open_intake(
        settings, deployment, context.db, context.client, context.store, registry
    ) as intake:
        yield intake


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """Opens engines, database, object store, chain and account."""
    own, network = settings.proof_aggregator, settings.chain
    async with AsyncExitStack() as stack:
        # First what costs nothing and may be wrong.
        lines = await open_lines(stack, own, network.chain_id)
        account = role_account(own, network.chain_id)
        deployment = Deployment.load(network.deployment_file)
        db = await stack.enter_async_context(open_database(settings.database, "aggregation"))
        client = await stack.enter_async_context(chain_client(network))
        sender = tx_sender(network, db, client, account, own.max_blob_fee_gwei)
        await asyncio.to_thread(trusted_setup)
        yield Context(
            db=db,
            store=ObjectStore.from_url(settings.store.url, settings.store.public_base_url),
            client=client,
            service=AggregationService(client, deployment.aggregation_service),
            sender=sender,
            lines=lines,
            metrics=ProofAggregatorMetrics(),
            patience=patience_of(own),
            costs=costs_of(own),
            input_dir=own.result_dir.absolute() / "inputs",
            engine_dir=engine_dir(own),
            max_proof_bytes=own.max_proof_bytes,
            keep_proofs=own.keep_proofs,
            final_blocks=own.final_blocks,
            deployed_block=deployment.deployed_block,
        )


def patience_of(own: ProofAggregatorSettings) -> Patience:
    """Times out of the settings."""
    backoff = Backoff(own.retry_s, own.max_retry_s)
    return Patience(
        own.lease_s, own.send_timeout_s, own.poll_s, own.max_attempts, backoff, own.give_up_after_s
    )


def costs_of(own: ProofAggregatorSettings) -> Costs:
    """Costs and budget out of the settings."""
    return Costs(
        execution_gas=own.execution_gas,
        blob_execution_gas=own.blob_execution_gas,
        proving_wei=own.proving_cost_gwei * _GWEI,
        daily_budget_wei=own.daily_budget_gwei * _GWEI,
    )


def policy_of(own: ProofAggregatorSettings) -> Policy:
    """Triggers out of the settings."""
    return Policy(
        chunk_proofs=own.chunk_proofs,
        max_proofs=own.max_proofs,
        risc0_max_proofs=own.risc0_max_proofs,
        min_proofs=own.min_proofs,
        max_age_s=own.max_age_s,
        join_wait_s=own.join_wait_s,
        max_fee_wei_per_proof=int(own.max_fee_per_proof_gwei * _GWEI),
        costs=costs_of(own),
        daily_at_s=seconds_of_day(own.daily_at),
    )


class ProofAggregator:
    """The aggregator's loops over their open dependencies."""

    def __init__(self, settings: Settings, context: Context, intake: Intake | None = None) -> None:
        own = settings.proof_aggregator
        self._settings = settings
        self._context = context
        self._planner = Planner(context, policy_of(own))
        self._revocations = Revocations(context)
        self._intake = intake
        readers: list[Reader] = [self._revocations, *([] if intake is None else [intake.follower])]
        self._status = Status(context, readers, settings.chain.max_lag_s, own.low_balance_gwei * _GWEI)
        self.app = create_app("Aligned proof aggregator", self._status.ready, context.metrics.render)

    def _vitals(self) -> Vitals:
        context = self._context
        lags = {CURSOR_NAME: self._revocations.lag_blocks}
        return Vitals(context.metrics.vital, Sources(context.client, context.db, context.sender), lags)

    def _nightly(self) -> Nightly:
        context = self._context
        return Nightly(context.db, "aggregation", self._settings.retention, context.metrics)

    async def run(self, stop: asyncio.Event) -> None:
        """Runs all loops until `stop`."""
        own, poll_s = self._settings.proof_aggregator, self._settings.proof_aggregator.poll_s
        context = self._context
        await self._planner.relevel()
        log.info("proof_aggregator_started", address=context.sender.address, systems=own.systems)
        lines = context.lines.values()
        await run_all(
            stop,
            repeat("plan", self._planner.step, stop, poll_s),
            *(repeat("chunks", ChunkProver(context).step, stop, poll_s) for _ in range(own.chunk_workers)),
            *(repeat("final_proofs", FinalProver(context, line).step, stop, poll_s) for line in lines),
            *(repeat("publish", Publisher(context, line).step, stop, poll_s) for line in lines),
            repeat("follow", Follower(context).step, stop, poll_s),
            repeat("clean", Cleaner(context).step, stop, _CLEAN_S),
            repeat("gauges", self._status.show, stop, _GAUGES_S),
            self._revocations.run(stop, self._settings.chain.poll_s),
            *(() if self._intake is None else self._intake.loops(stop, self._settings.chain.poll_s)),
            repeat("vitals", self._vitals().step, stop, VITALS_POLL_S),
            repeat("retention", self._nightly().step, stop, NIGHTLY_POLL_S),
            serve(self.app, own.host, own.port, stop),
        )
