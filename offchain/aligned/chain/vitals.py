"""Sets the gauges of `aligned.vital_metrics` while a role runs, each from what its own source says."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

from aligned import watchdog
from aligned.chain.client import ChainClient
from aligned.chain.sender import TxSender
from aligned.chain.types import Block
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError
from aligned.storage.postgres import Database
from aligned.vital_metrics import AccountGauges, VitalMetrics

VITALS_POLL_S = 15.0
# Blocks up to a head that a reader of events has not handled.
Lag = Callable[[int], Awaitable[int]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a role depends on; `sender` is of its account, where it has one."""

    client: ChainClient
    db: Database
    sender: TxSender | None = None


class Vitals:
    """Looks at everything that a role depends on. A part that does not answer leaves the others' gauges true.

    Args:
        lags: the role's readers of events, by name.
    """

    def __init__(
        self, metrics: VitalMetrics, sources: Sources, lags: Mapping[str, Lag] | None = None
    ) -> None:
        self._metrics = metrics
        self._sources = sources
        self._lags = lags or {}

    async def step(self) -> bool:
        """Sets all gauges; always False: the next look is after a pause."""
        self._show_loops()
        self._show_endpoints()
        self._show_pool()
        await self._try("chain", self._show_chain)
        await self._try("account", self._show_account)
        return False

    @staticmethod
    async def _try(part: str, show: Callable[[], Awaitable[None]]) -> None:
        try:
            await show()
        except DependencyError as error:
            log.warning("vitals_unknown", part=part, code=error.code, error=error.message)

    def _show_loops(self) -> None:
        dog = watchdog.current.get()
        ages: dict[str, float] = {}
        stuck: dict[str, bool] = {}
        # Several workers share a name: the worst of them counts.
        for each in () if dog is None else dog.status():
            ages[each.name] = max(each.age_s, ages.get(each.name, 0.0))
            stuck[each.name] = each.is_stuck or stuck.get(each.name, False)
        for name, age_s in ages.items():
            self._metrics.loop_age.labels(name).set(age_s)
            self._metrics.loop_stuck.labels(name).set(int(stuck[name]))

    def _show_endpoints(self) -> None:
        metrics = self._metrics
        for each in self._sources.client.endpoints():
            usable = each.pause_s == 0 and not each.is_outdated and not each.wrong_chain
            metrics.endpoint_usable.labels(each.name).set(int(usable))
            metrics.total(metrics.rpc_requests, each.requests, each.name)
            metrics.total(metrics.rpc_failures, each.failures, each.name)
            metrics.total(metrics.rpc_failovers, each.failovers, each.name)
            if each.head_number is not None and each.head_age_s is not None:
                metrics.endpoint_head.labels(each.name).set(each.head_number)
                metrics.endpoint_age.labels(each.name).set(each.head_age_s)

    def _show_pool(self) -> None:
        use, metrics = self._sources.db.use(), self._metrics
        metrics.db_connections.labels("busy").set(use.busy)
        metrics.db_connections.labels("idle").set(use.idle)
        metrics.db_waiting.set(use.waiting)
        metrics.total(metrics.db_waits, use.waits)
        metrics.total(metrics.db_wait_s, use.wait_s)
        metrics.total(metrics.db_repeats, self._sources.db.repeats)

    async def _show_chain(self) -> None:
        head = await self._block(await self._sources.client.block_number())
        self._metrics.head_block.set(head.number)
        self._metrics.head_age.set(max(0.0, time.time() - head.timestamp))
        for name, lag in self._lags.items():
            blocks = await lag(head.number)
            last = head if blocks == 0 else await self._block(max(0, head.number - blocks))
            self._metrics.cursor_lag.labels(name).set(blocks)
            self._metrics.cursor_lag_s.labels(name).set(head.timestamp - last.timestamp)

    async def _block(self, number: int) -> Block:
        block = await self._sources.client.get_block(number)
        if block is None:
            raise DependencyError(CHAIN_UNAVAILABLE, f"the node does not have block {number} below its head")
        return block

    async def _show_account(self) -> None:
        sender, gauges = self._sources.sender, self._metrics.account
        if sender is not None and gauges is not None:
            await _show(sender, gauges)


async def _show(sender: TxSender, gauges: AccountGauges) -> None:
    # The journal first: it answers also while no node does.
    status = await sender.status()
    gauges.pending.set(status.pending)
    gauges.pending_age.set(status.oldest_age_s)
    gauges.pending_fee.set(status.max_fee_wei)
    gauges.balance.set(await sender.balance_wei())
