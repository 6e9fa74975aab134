"""Returns what batches did not cost to their payers, once their outcome is final."""

from __future__ import annotations

import structlog

from aligned.batcher import batches, outcomes
from aligned.batcher.batches import Batch
from aligned.batcher.market import MarketFeed
from aligned.batcher.members import charged
from aligned.batcher.model import TxBounds
from aligned.batcher.ports import TaskChain
from aligned.batcher.rows import Rows
from aligned.chain.errors import TX_REVERTED, TxReverted
from aligned.core.errors import DependencyError
from aligned.storage.postgres import Database

log = structlog.get_logger(__name__)
# settle(): its base, and one more payer.
_SETTLE_GAS = 70_000
_SETTLE_GAS_PER_PAYER = 9_000
_PAGE = 20
_DEAREST = 5
_WHOLE_PERCENT = 100


class Settler:
    """Looks at every batch that still has money, in turn, and at the dearest ones each time.

    Only the contract's `settlementHash` says what is returned: not a refusal, and not before it is deep.

    Args:
        min_percent: least surplus to return, in percent of what returning costs.
        final_depth: blocks above which nothing leaves the chain.
        give_up_after_s: how long a transaction may wait for a gas price that the surplus pays.
    """

    def __init__(
        self,
        db: Database,
        chain: TaskChain,
        market: MarketFeed,
        *,
        min_percent: int,
        final_depth: int,
        give_up_after_s: float,
    ) -> None:
        self._db = db
        self._chain = chain
        self._market = market
        self._min_percent = min_percent
        self._final_depth = final_depth
        self._give_up_after_s = give_up_after_s
        self._cursor = 0
        self._rows: Rows[Batch] = Rows(lambda batch: batch.number)

    async def step(self) -> bool:
        """Works on the next page of unsettled batches. Returns False: there is nothing to do at once again."""
        async with self._db.transaction() as conn:
            page = await outcomes.unsettled(conn, self._cursor, _PAGE)
            dearest = await outcomes.dearest_unsettled(conn, _DEAREST)
        self._cursor = page[-1].number if len(page) == _PAGE else 0
        await self._rows.each({batch.number: batch for batch in [*page, *dearest]}.values(), self._look)
        return False

    async def _look(self, batch: Batch) -> None:
        held = await self._chain.settlement_hash(batch.root)
        if batch.settle_block is not None:
            await self._confirm(batch, batch.settle_block, held)
        elif not any(held):
            await self._seen_returned(batch)
        elif held != batch.settlement.digest:
            await self._read_again(batch)
        else:
            await self._settle_if_worth(batch)

    async def _confirm(self, batch: Batch, seen_block: int, held: bytes) -> None:
        """What was returned counts once it is so deep that it stays so; what came back is returned again."""
        if any(held):
            log.warning("settlement_reorganised_away", number=batch.number, root=batch.root)
            async with self._db.transaction() as conn:
                await outcomes.set_settle_block(conn, batch.number, None)
            return
        deep = self._market.current().block - self._final_depth
        if deep < seen_block or any(await self._chain.settlement_hash(batch.root, deep)):
            return
        async with self._db.transaction() as conn:
            await outcomes.set_settled(conn, batch.number)
        log.info("batch_settled", number=batch.number, root=batch.root)

    async def _seen_returned(self, batch: Batch) -> None:
        async with self._db.transaction() as conn:
            await outcomes.set_settle_block(conn, batch.number, self._market.current().block)

    async def _read_again(self, batch: Batch) -> None:
        """The contract holds other terms than we know: the task was mined again in another block."""
        task = await self._chain.posted_task(batch.root)
        async with self._db.transaction() as conn:
            submitters = await batches.submitters(conn, batch.number)
            await outcomes.correct_terms(conn, batch.number, task, charged(submitters, task.skipped))
        log.warning("settlement_terms_corrected", number=batch.number, root=batch.root)

    async def _settle_if_worth(self, batch: Batch) -> None:
        surplus_wei = batch.held_wei + await self._chain.unspent_fee_wei(batch.root)
        gas = _SETTLE_GAS + _SETTLE_GAS_PER_PAYER * len(set(batch.payers))
        cost_wei = gas * self._market.current().gas_price_wei
        # Whose proofs came to nothing gets all of it back as soon as it pays for itself.
        percent = min(self._min_percent, _WHOLE_PERCENT) if batch.state == "expired" else self._min_percent
        if surplus_wei * _WHOLE_PERCENT < cost_wei * percent:
            return
        await self._settle(batch, self._bounds(surplus_wei, gas))

    def _bounds(self, surplus_wei: int, gas: int) -> TxBounds:
        """It never costs more than it returns, unless the settings say so."""
        percent = min(self._min_percent, _WHOLE_PERCENT)
        most_wei = surplus_wei * _WHOLE_PERCENT // (gas * percent) if percent else None
        return TxBounds(most_wei, self._give_up_after_s)

    async def _settle(self, batch: Batch, bounds: TxBounds) -> None:
        try:
            await self._chain.settle(batch.settle_key, batch.settlement, bounds)
        except TxReverted as error:
            # Never written off for that: the next looks find out what the contract holds.
            raise DependencyError(TX_REVERTED, f"settle of batch {batch.number}: {error.reason}") from error
        await self._seen_returned(batch)
