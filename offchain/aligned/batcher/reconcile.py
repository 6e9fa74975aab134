"""Catches up with fates that were decided between two looks: no connection may wait for news that passed it by."""

from __future__ import annotations

from aligned.batcher import queue
from aligned.batcher.subscriptions import Subscriptions
from aligned.storage.postgres import Database


class Reconciler:
    """Compares what connections wait for with what the database says."""

    def __init__(self, db: Database, subscriptions: Subscriptions) -> None:
        self._db = db
        self._subscriptions = subscriptions

    async def step(self) -> bool:
        """Tells what was missed. Returns False."""
        waiting = self._subscriptions.waiting_for()
        if not waiting:
            return False
        async with self._db.transaction() as conn:
            fates = await queue.latest(conn, [key.leaf for key in waiting])
        for stored in fates:
            self._subscriptions.catch_up(stored)
        return False
