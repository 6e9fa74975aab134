"""What became of a request."""

from __future__ import annotations

from dataclasses import dataclass

from aligned.chain.errors import TX_KEY_REUSED, TxCancelled, TxReverted
from aligned.chain.journal_rows import Request
from aligned.chain.types import ChainReceipt, LogEntry
from aligned.core.errors import ConflictError


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request.

    Attributes:
        state: "mined" (ours, successful) or "superseded" (`done` held without it).
        tx: the mined transaction; None when nothing of ours was mined.
    """

    key: str
    state: str
    tx: ChainReceipt | None

    @property
    def tx_hash(self) -> bytes | None:
        """Hash of the mined transaction."""
        return None if self.tx is None else self.tx.tx_hash

    @property
    def block_number(self) -> int | None:
        """Block of the mined transaction."""
        return None if self.tx is None else self.tx.block_number

    @property
    def gas_used(self) -> int:
        """Gas of the mined transaction, 0 without one."""
        return 0 if self.tx is None else self.tx.gas_used

    @property
    def logs(self) -> tuple[LogEntry, ...]:
        """Its logs."""
        return () if self.tx is None else self.tx.logs


def check_same(request: Request, wanted: Request) -> None:
    """Raises ConflictError (tx_key_reused) when a key names two different calls."""
    if not request.asks_the_same(wanted):
        raise ConflictError(TX_KEY_REUSED, f"{wanted.key} was used for another call")


def outcome_of(request: Request) -> Receipt:
    """The receipt of a settled request.

    Raises:
        TxReverted: it was mined and reverted.
        TxCancelled: it was given up.
    """
    tx_hash = None if request.receipt is None else request.receipt.tx_hash
    if request.state == "cancelled":
        raise TxCancelled(request.key, tx_hash, 0 if request.receipt is None else request.receipt.fee_wei)
    if request.state == "reverted":
        reason = request.error or "reverted"
        raise TxReverted(
            reason,
            error_name=reason.partition("(")[0] if "(" in reason else "",
            tx_hash=tx_hash,
        )
    return Receipt(request.key, request.state, request.receipt)
