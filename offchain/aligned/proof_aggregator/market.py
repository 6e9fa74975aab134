"""Prices of gas and blob gas, not asked for more often than the chain has blocks."""

from __future__ import annotations

import time

import structlog

from aligned.chain.fees import Prices
from aligned.chain.prices import read_prices
from aligned.core.errors import DependencyError
from aligned.proof_aggregator.context import Context

_MAX_AGE_S = 12.0
log = structlog.get_logger(__name__)


class PriceLook:
    """What the chain asks; also a failure is kept for a while."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._asked_at: float | None = None
        self._found: Prices | None = None

    async def read(self) -> Prices | None:
        """Prices of the last seconds; None when the chain does not answer."""
        now = time.monotonic()
        if self._asked_at is None or now - self._asked_at >= _MAX_AGE_S:
            self._found = await self._ask()
            self._asked_at = now
        return self._found

    async def _ask(self) -> Prices | None:
        try:
            return await read_prices(self._context.client, with_blobs=True)
        except DependencyError as error:
            log.warning("no_prices", code=error.code, message=error.message)
            return None
