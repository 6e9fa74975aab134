"""Puts the batcher together and runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

import structlog

from aligned.batcher import backlog, queue
from aligned.batcher.accounts import AccountBook
from aligned.batcher.admission import Admission, Policy
from aligned.batcher.budget import ByteBudget
from aligned.batcher.builder import BatchBuilder, BuildPolicy
from aligned.batcher.connection import ConnectionLimits, Services
from aligned.batcher.context import Context, open_context
from aligned.batcher.entry import Entry
from aligned.batcher.examiner import Examiner
from aligned.batcher.follower import BatchFollower
from aligned.batcher.guard import Guard
from aligned.batcher.http import BatcherHttp
from aligned.batcher.market import MarketFeed
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.poster import BatchPoster, PostingPolicy
from aligned.batcher.questions import Questions
from aligned.batcher.reconcile import Reconciler
from aligned.batcher.rules import QueueLimits, QueueTotals
from aligned.batcher.selection import BatchLimits
from aligned.batcher.server import BatcherServer, ListenLimits, serve_until
from aligned.batcher.settlement import Settler
from aligned.batcher.subscriptions import Subscriptions
from aligned.batcher.watch import PostingWatch
from aligned.chain.vitals import VITALS_POLL_S, Vitals
from aligned.core.types import ProvingSystem
from aligned.loops import repeat, run_all
from aligned.serving import create_app, serve
from aligned.settings import BatcherSettings, Settings
from aligned.storage.retention import NIGHTLY_POLL_S, Nightly
from aligned.wire.batcher_replies import ServerLimits

log = structlog.get_logger(__name__)
_POST_POLL_S = 0.25
_SETTLE_POLL_S = 10.0
_RECONCILE_POLL_S = 15.0
_OFFICE_POLL_S = 30.0
_MEASURE_POLL_S = 5.0
# Messages in work, over all connections, in units of the largest one.
_MESSAGES_IN_WORK = 64
_MESSAGES_IN_WORK_PER_IP = 16


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Takes proofs and posts batches until `stop`.

    Raises:
        AlignedError: a setting, key or dependency is wrong at start, or an invariant broke.
    """
    async with open_context(settings) as context:
        assert context.office is not None
        await run_all(
            stop,
            Batcher(context).run(stop),
            repeat("office", context.office.step, stop, _OFFICE_POLL_S),
        )


class Batcher:
    """The batcher's parts over their open dependencies. `port` is known once `run` listens."""

    def __init__(self, context: Context) -> None:
        own = context.settings
        self._context = context
        self._metrics = BatcherMetrics()
        sources = context.sources
        self._vitals = None if sources is None else Vitals(self._metrics.vital, sources)
        self._guard = Guard()
        self._market = MarketFeed(context.chain, own.market_max_age_s, context.max_head_age_s)
        self._accounts = AccountBook(context.chain, self._market.latest_block)
        self._watch = PostingWatch(own.stuck_after_s)
        self._subscriptions = Subscriptions(context.payment_service)
        self._disabled = frozenset(int(ProvingSystem.from_wire(name)) for name in own.disabled_systems)
        self._entry = Entry(own, self._metrics.unnamed_client)
        self._questions = Questions(context.db, self._accounts, self._entry)
        self._pages = self._build_pages()
        self._server = BatcherServer(self._services(), self._pages, _listen_limits(own))
        self._poster = self._build_poster()
        self._follower = BatchFollower(
            context.db,
            context.chain,
            self._market,
            self._subscriptions,
            self._metrics,
            own.final_depth_blocks,
        )
        self._settler = Settler(
            context.db,
            context.chain,
            self._market,
            min_percent=own.settle_min_percent,
            final_depth=own.final_depth_blocks,
            give_up_after_s=own.give_up_after_s,
        )
        self.port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def run(self, stop: asyncio.Event) -> None:
        """Runs all loops until `stop`."""
        own, poll_s = self._context.settings, self._context.poll_s
        reconciler = Reconciler(self._context.db, self._subscriptions)
        app = create_app("Aligned batcher", self._pages.ready, self._metrics.render)
        log.info("batcher_started", address=self._context.signer.address, host=own.host, port=own.port)

        def loop(
            name: str, step: Callable[[], Awaitable[bool]], pause_s: float
        ) -> Coroutine[object, object, None]:
            return repeat(name, self._guard.around(name, step), stop, pause_s)

        await run_all(
            stop,
            loop("market", self._market.refresh, poll_s),
            _interrupted(stop, loop("post", self._poster.step, _POST_POLL_S)),
            loop("follow", self._follower.step, poll_s),
            _interrupted(stop, loop("settle", self._settler.step, _SETTLE_POLL_S)),
            loop("reconcile", reconciler.step, _RECONCILE_POLL_S),
            repeat("vitals", self._show_vitals, stop, VITALS_POLL_S),
            repeat("retention", self._nightly().step, stop, NIGHTLY_POLL_S),
            loop("measure", self._measure, _MEASURE_POLL_S),
            serve(app, own.metrics_host, own.metrics_port, stop),
            serve_until(self._server, stop, self.port),
        )

    async def _show_vitals(self) -> bool:
        return self._vitals is not None and await self._vitals.step()

    def _nightly(self) -> Nightly:
        return Nightly(self._context.db, "batcher", self._context.retention, self._metrics)

    async def _measure(self) -> bool:
        """Looks at the queue now and then, so that reading metrics costs nobody anything."""
        async with self._context.db.transaction() as conn:
            self._metrics.queue(await queue.totals(conn), await queue.oldest_age_s(conn))
            self._metrics.backlog(await backlog.read(conn))
        return False

    def _services(self) -> Services:
        own, context = self._context.settings, self._context
        policy = Policy(
            chain_id=context.chain_id,
            payment_service=context.payment_service,
            max_proof_bytes=own.max_proof_bytes,
            fee_batch_proofs=own.fee_batch_proofs,
            receipt_deadline_s=own.receipt_deadline_s,
            disabled_systems=self._disabled,
            limits=QueueLimits(
                QueueTotals(own.max_queue_proofs, own.max_queue_bytes),
                QueueTotals(own.max_sender_proofs, own.max_sender_bytes),
            ),
        )
        admission = Admission(
            db=context.db,
            accounts=self._accounts,
            market=self._market,
            examiner=Examiner(context.pool, self._entry, self._metrics),
            signer=context.signer,
            policy=policy,
            entry=self._entry,
            watch=self._watch,
        )
        limits = ConnectionLimits(
            own.max_message_bytes,
            own.max_unanswered,
            own.max_pending,
            own.first_message_timeout_s,
            own.idle_timeout_s,
        )
        budget = ByteBudget(
            _MESSAGES_IN_WORK * own.max_message_bytes, _MESSAGES_IN_WORK_PER_IP * own.max_message_bytes
        )
        return Services(
            self._entry,
            admission,
            self._subscriptions,
            self._market,
            self._metrics,
            budget,
            self._questions,
            self._terms,
            limits,
        )

    def _terms(self) -> ServerLimits:
        own, context = self._context.settings, self._context
        return ServerLimits(
            chain_id=context.chain_id,
            payment_service=context.payment_service,
            batcher_address=context.signer.address,
            max_proof_bytes=own.max_proof_bytes,
            max_message_bytes=own.max_message_bytes,
            max_outstanding=own.max_unanswered,
            min_max_fee_wei=self._market.current().min_max_fee_wei(own.fee_batch_proofs),
        )

    def _build_pages(self) -> BatcherHttp:
        context = self._context
        return BatcherHttp(
            context.db,
            self._questions,
            self._entry,
            self._market,
            context.payment_service,
            context.settings.fee_batch_proofs,
            (self._guard.check, context.pool.check, self._watch.check),
        )

    def _build_poster(self) -> BatchPoster:
        own, context = self._context.settings, self._context
        builder = BatchBuilder(
            context.db,
            context.chain,
            self._accounts,
            self._subscriptions,
            self._metrics,
            context.payment_service,
            BuildPolicy(
                BatchLimits(own.max_batch_proofs, own.max_batch_bytes),
                self._disabled,
                own.fee_batch_proofs,
                own.low_fee_blocks,
            ),
        )
        return BatchPoster(
            db=context.db,
            chain=context.chain,
            store=context.store,
            builder=builder,
            market=self._market,
            subscriptions=self._subscriptions,
            metrics=self._metrics,
            watch=self._watch,
            policy=PostingPolicy(own.batch_interval_blocks, own.max_cost_percent, own.give_up_after_s),
        )


async def _interrupted(stop: asyncio.Event, loop: Coroutine[object, object, None]) -> None:
    """Runs a loop whose steps wait for the chain for minutes: it is cut off at the end, as a crash would do it."""
    task, stopped = asyncio.ensure_future(loop), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
    finally:
        for each in (task, stopped):
            each.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


def _listen_limits(own: BatcherSettings) -> ListenLimits:
    return ListenLimits(
        own.host,
        own.port,
        own.max_connections,
        own.max_connections_per_ip,
        own.ping_interval_s,
        own.handshake_timeout_s,
        own.message_timeout_s,
    )
