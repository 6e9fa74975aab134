"""Removes what final aggregations no longer need: results, proof objects, blobs in the sender's journal."""

from __future__ import annotations

from aligned.core.aggregation import AggregationSystem
from aligned.proof_aggregator.context import Context
from aligned.proof_aggregator.folders import remove_folder
from aligned.proof_aggregator.publisher import request_key
from aligned.provers.results import final_folders
from aligned.storage.aggregation import chunks, queue, summary
from aligned.storage.aggregation.chunks import ChunkFiles

_BATCH = 8


class Cleaner:
    """Every part of it can be done twice, so a death in between does no harm."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def step(self) -> bool:
        """Cleans some aggregations; whether there were any."""
        async with self._context.db.transaction() as conn:
            found = await chunks.to_clean(conn, _BATCH)
        for aggregation_id in found:
            await self._clean(aggregation_id)
        for system in self._context.lines:
            await self._sweep(system)
        return bool(found)

    async def _clean(self, aggregation_id: int) -> None:
        async with self._context.db.transaction() as conn:
            parts = await chunks.files_of(conn, aggregation_id)
        for part in parts:
            await self._remove(part)
        await self._context.sender.forget(request_key(aggregation_id))
        async with self._context.db.transaction() as conn:
            await chunks.cleaned(conn, [part.id for part in parts])

    async def _sweep(self, system: AggregationSystem) -> None:
        """Final proofs that nobody asks for again: a prover died behind them, or their aggregation failed."""
        folders = final_folders(self._context.engine_dir, system)
        if not folders:
            return
        async with self._context.db.transaction() as conn:
            await queue.lock(conn, system)  # no aggregation begins meanwhile
            if not await summary.is_proving(conn, system):
                for folder in folders:
                    await remove_folder(folder)

    async def _remove(self, part: ChunkFiles) -> None:
        await remove_folder(part.result)
        if not self._context.keep_proofs:
            for key in part.objects:
                await self._context.store.delete(key)
