"""What this gateway serves: contracts, limits, programs, and the price, which is asked for now and then."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from aligned.chain.contracts import AggregationPayments
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import AlignedError, InvariantError
from aligned.gateway.claims import Domain
from aligned.provers.programs import PROGRAM_IDS, load_program_ids
from aligned.settings import GatewaySettings
from aligned.wire.aggregator import hex_of
from aligned.wire.gateway import Limits, Price, Status

log = structlog.get_logger(__name__)
_ASK_TIMEOUT_S = 3.0


class PriceFeed:
    """The terms of a payment, not asked for more often than every `max_age_s`, however many want to know."""

    def __init__(self, payments: AggregationPayments, max_age_s: float) -> None:
        self._payments = payments
        self._max_age_s = max_age_s
        self._asked_at = -max_age_s
        self._price: Price | None = None
        self._lock = asyncio.Lock()

    async def current(self) -> Price | None:
        """The price; None when the chain did not answer the last time."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= self._max_age_s:
                self._price = await self._ask()
                self._asked_at = time.monotonic()
        return self._price

    async def _ask(self) -> Price | None:
        try:
            async with asyncio.timeout(_ASK_TIMEOUT_S):
                terms = await self._payments.terms()
        except (AlignedError, TimeoutError) as error:
            log.warning("price_unknown", error=str(error) or type(error).__name__)
            return None
        return Price(price_wei=str(terms.price_wei), proofs=terms.proofs, period_s=terms.period_s)


@dataclass(frozen=True, slots=True)
class StatusPage:
    """Builds /v1/status."""

    domain: Domain
    aggregation_service: bytes
    settings: GatewaySettings
    price: PriceFeed
    program_ids: dict[str, dict[str, str]]

    async def read(self) -> Status:
        """The page."""
        return Status(
            chain_id=self.domain.chain_id,
            payment_service=self.domain.payment_service,
            aggregation_service=self.aggregation_service,
            systems=("sp1", "risc0"),
            program_ids=self.program_ids,
            limits=Limits(
                max_proof_bytes=self.settings.max_proof_bytes,
                max_public_input_bytes=self.settings.max_public_input_bytes,
            ),
            price=await self.price.current(),
        )


def program_ids(path: Path = PROGRAM_IDS) -> dict[str, dict[str, str]]:
    """The aggregating programs as hex by system and name; none where the prover's files are not installed."""
    try:
        found = load_program_ids(path)
    except InvariantError as error:
        log.warning("no_program_ids", error=error.message)
        return {}
    return {
        system.wire_name: {
            "user_proofs": hex_of(found[system].user_proofs),
            "chunk": hex_of(found[system].chunk),
        }
        for system in AggregationSystem
    }
