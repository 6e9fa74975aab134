"""What the aggregator says of itself: readiness, and the gauges that no step sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aligned.chain.contracts import ProgramStatus
from aligned.chain.errors import INSUFFICIENT_FUNDS
from aligned.core.errors import DependencyError
from aligned.proof_aggregator.budget import DAY_S
from aligned.proof_aggregator.context import Context
from aligned.storage.aggregation import summary

PROGRAM_NOT_ALLOWED = "program_not_allowed"
_STATES = ("proving", "proved", "submitted", "mined", "failed")


class Reader(Protocol):
    """Follows events of the chain."""

    def check_alive(self, max_age_s: float) -> None:
        """Raises DependencyError when the chain was not read to its end for so long."""


class Status:
    """Asks chain and database.

    Args:
        readers: of events.
        max_lag_s: not ready when the chain was not read to its end for so long.
        low_balance_wei: not ready when the account has less.
    """

    def __init__(
        self, context: Context, readers: Sequence[Reader], max_lag_s: float, low_balance_wei: int
    ) -> None:
        self._context = context
        self._readers = readers
        self._max_lag_s = max_lag_s
        self._low_balance_wei = low_balance_wei

    async def ready(self) -> dict[str, object]:
        """Details for /readyz.

        Raises:
            DependencyError: chain or database do not answer, a reader of events lags, the account is short of
                money (insufficient_funds), or the contract does not take a program of ours (program_not_allowed).
        """
        for reader in self._readers:
            reader.check_alive(self._max_lag_s)
        balance_wei = await self.balance_wei()
        if balance_wei < self._low_balance_wei:
            raise DependencyError(INSUFFICIENT_FUNDS, f"{balance_wei} wei are less than low_balance_gwei")
        await self._check_programs()
        return {
            "levels": {system.wire_name: line.level for system, line in self._context.lines.items()},
            "verification_paused": await self._context.service.verification_paused(),
            "balance_wei": str(balance_wei),
            "aggregations": await self._counts(),
        }

    async def show(self) -> bool:
        """Sets the gauges."""
        await self.balance_wei()
        async with self._context.db.transaction() as conn:
            self._context.metrics.spent.set(await summary.spent_wei(conn, DAY_S))
        found = await self._counts()
        for system in self._context.lines:
            for state in _STATES:
                value = found.get(f"{system.wire_name}_{state}", 0)
                self._context.metrics.open.labels(system.wire_name, state).set(value)
        return False

    async def balance_wei(self) -> int:
        """Of the sending account."""
        balance_wei = await self._context.client.balance(self._context.sender.address)
        account = self._context.metrics.vital.account
        assert account is not None
        account.balance.set(balance_wei)
        return balance_wei

    async def _check_programs(self) -> None:
        for system, line in self._context.lines.items():
            state = await self._context.service.program(line.program_id)
            if (state.system, state.status) != (system, ProgramStatus.ALLOWED):
                raise DependencyError(
                    PROGRAM_NOT_ALLOWED,
                    f"{system.wire_name} program 0x{line.program_id.hex()}: {state.status.name}",
                )

    async def _counts(self) -> dict[str, int]:
        async with self._context.db.transaction() as conn:
            rows = await summary.counts(conn)
        names = {int(system): system.wire_name for system in self._context.lines}
        return {
            f"{names[row['system']]}_{row['state']}": row["rows"] for row in rows if row["system"] in names
        }
