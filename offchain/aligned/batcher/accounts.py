"""Accounts as the chain had them at the head that the batcher knows, so that many looks at one cost one question.

What is known of a head may be old by the time it counts: somebody may be let in by it, and is checked again before the
transaction is sent (the contract charges nobody who cannot pay). Nobody is turned away by it: see `Look.judge`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from aligned.batcher.model import Account
from aligned.batcher.ports import AccountReader
from aligned.core.errors import (
    FEE_TOO_LOW,
    FUNDS_UNLOCKED,
    INSUFFICIENT_BALANCE,
    NONCE_TOO_HIGH,
    NONCE_USED,
    QUEUE_FULL,
    AlignedError,
)

T = TypeVar("T")
_MAX_KNOWN = 10_000
_OF_ACCOUNT = {FEE_TOO_LOW, FUNDS_UNLOCKED, INSUFFICIENT_BALANCE, NONCE_TOO_HIGH, NONCE_USED, QUEUE_FULL}


@dataclass(slots=True)
class _Read:
    """A question to the chain that everybody may share who comes before it begins."""

    task: asyncio.Task[Account] = field(init=False)
    has_begun: bool = False


class AccountBook:
    """Reads accounts.

    Args:
        block: the head that the batcher knows; an account is kept until that changes.
        max_known: accounts kept, the latest ones.
    """

    def __init__(
        self, chain: AccountReader, block: Callable[[], int], *, max_known: int = _MAX_KNOWN
    ) -> None:
        self._chain = chain
        self._block = block
        self._max_known = max_known
        self._known: OrderedDict[bytes, tuple[int, Account]] = OrderedDict()
        self._reads: dict[bytes, _Read] = {}

    async def look(self, address: bytes) -> Look:
        """The account as it is known of the present head, else as the chain has it now. Errors as `fresh`."""
        block, account = self._known.get(address, (None, None))
        if account is not None and block == self._block():
            return Look(self, address, account, is_fresh=False)
        shared = self._reads.get(address)
        if shared is not None and shared.has_begun:
            return Look(self, address, await asyncio.shield(shared.task), is_fresh=False)
        return Look(self, address, await self.fresh(address), is_fresh=True)

    async def fresh(self, address: bytes) -> Account:
        """The account from a question that begins after this call; calls that wait for one share it.

        Raises:
            DependencyError: chain_unavailable, and what else the chain answers with.
        """
        latest = self._reads.get(address)
        if latest is None or latest.has_begun:
            latest = self._ask(address, latest)
        # Who hangs up does not take the answer away from the others.
        return await asyncio.shield(latest.task)

    def _ask(self, address: bytes, before: _Read | None) -> _Read:
        """One question at a time for each account."""
        read = self._reads[address] = _Read()
        read.task = asyncio.create_task(self._read(address, read, before))
        read.task.add_done_callback(lambda task: self._ended(address, read, task))
        return read

    async def _read(self, address: bytes, read: _Read, before: _Read | None) -> Account:
        if before is not None:
            await asyncio.wait((before.task,))
        read.has_begun = True
        # The head from before the question: the answer is of that one, or of a later one.
        block = self._block()
        account = await self._chain.account(address)
        self._known[address] = (block, account)
        self._known.move_to_end(address)
        if len(self._known) > self._max_known:
            self._known.popitem(last=False)
        return account

    def _ended(self, address: bytes, read: _Read, task: asyncio.Task[Account]) -> None:
        if self._reads.get(address) is read:
            del self._reads[address]
        if not task.cancelled():
            # Seen by whoever still waits for it; if nobody does, that is no error of ours.
            task.exception()


class Look:
    """One caller's view of an account.

    Attributes:
        is_fresh: it is the answer to a question that began after the caller asked.
    """

    def __init__(self, book: AccountBook, address: bytes, account: Account, *, is_fresh: bool) -> None:
        self._book = book
        self._address = address
        self.account = account
        self.is_fresh = is_fresh

    async def refresh(self) -> None:
        """Asks the chain, unless this is its answer already."""
        if not self.is_fresh:
            self.account = await self._book.fresh(self._address)
            self.is_fresh = True

    async def judge(self, act: Callable[[Account], Awaitable[T]]) -> T:
        """What `act` makes of the account; before it refuses for what the account says, that is read afresh."""
        try:
            return await act(self.account)
        except AlignedError as error:
            if self.is_fresh or error.code not in _OF_ACCOUNT:
                raise
        await self.refresh()
        return await act(self.account)
