"""What the batcher needs of the chain, so that its rules can be tested without one."""

from __future__ import annotations

from typing import Protocol

from aligned.batcher.model import Account, Market, PostedTask, Settlement, Task, TxBounds
from aligned.chain.contracts import BatchStatus
from aligned.chain.errors import FEES_ABOVE_CAP
from aligned.core.errors import DependencyError


class FeesAboveBounds(DependencyError):
    """The market asks more than a transaction may cost; it is not and will not be on chain.

    Attributes:
        was_sent: it was handed to the network, and cancelled there.
    """

    def __init__(self, message: str, *, was_sent: bool) -> None:
        super().__init__(FEES_ABOVE_CAP, message)
        self.was_sent = was_sent


class AccountReader(Protocol):
    """Users' accounts. Raises DependencyError (chain_unavailable) where the chain does not answer."""

    async def account(self, address: bytes) -> Account:
        """The account of a 20-byte address; all zero for one never seen."""


class TaskChain(AccountReader, Protocol):
    """Accounts, prices and tasks. A `block` is a number at or below the head; None is the head."""

    async def market(self) -> Market:
        """Prices and switches at the head."""

    async def task_status(self, root: bytes, block: int | None = None) -> BatchStatus:
        """Where the batch with this root by our payment service stands."""

    async def task_block(self, root: bytes) -> int:
        """Block of its task, 0 without one."""

    async def posted_task(self, root: bytes) -> PostedTask:
        """What the chain says about a task that is there. DependencyError where it, or its logs, are not (yet)."""

    async def unspent_fee_wei(self, root: bytes) -> int:
        """What is still reserved or unclaimed of the answer fee of a task."""

    async def settlement_hash(self, root: bytes, block: int | None = None) -> bytes:
        """Digest of the payers and terms of a batch whose money is still held, else 32 zeros."""

    async def create_task(self, key: str, task: Task, bounds: TxBounds) -> PostedTask:
        """Posts a task once, whatever happens in between; the same key again returns the same result.

        Raises:
            TxReverted: the contract refuses it; nothing is or will be on chain.
            FeesAboveBounds: nothing is or will be on chain.
            DependencyError: not known yet what becomes of it; call again with the same key.
        """

    async def settle(self, key: str, settlement: Settlement, bounds: TxBounds) -> None:
        """Returns what an answered or expired task did not cost to its payers. Errors as `create_task`."""
