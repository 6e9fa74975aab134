"""What the batcher needs of the chain, so that its rules can be tested without one."""

from __future__ import annotations

from typing import Protocol

from aligned.batcher.model import Account, Market, PostedTask, Settlement, Task
from aligned.chain.contracts import BatchStatus


class AccountReader(Protocol):
    """Users' accounts. Raises DependencyError (chain_unavailable) where the chain does not answer."""

    async def account(self, address: bytes) -> Account:
        """The account of a 20-byte address; all zero for one never seen."""


class TaskChain(AccountReader, Protocol):
    """Accounts, prices and tasks."""

    async def market(self) -> Market:
        """Prices and switches at the head."""

    async def task_status(self, root: bytes) -> BatchStatus:
        """Where the batch with this root by our payment service stands."""

    async def unspent_fee_wei(self, root: bytes) -> int:
        """What is still reserved or unclaimed of the answer fee of a task."""

    async def create_task(self, key: str, task: Task) -> PostedTask:
        """Posts a task once, whatever happens in between; the same key again returns the same result.

        Raises:
            TxReverted: the contract refuses it; nothing is or will be on chain.
            DependencyError: not known yet what becomes of it; call again with the same key.
        """

    async def settle(self, key: str, settlement: Settlement) -> None:
        """Returns what an answered or expired task did not cost to its payers. Errors as `create_task`."""
