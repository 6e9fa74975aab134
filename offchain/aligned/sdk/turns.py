"""One queue for each account of this process: whoever uses the account, in whatever thread, waits for its turn.

A nonce is read from a service and used in a message to it. Two clients of one account that do so at the same time read
the same nonce, and one of them is refused or, worse, replaced.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from aligned.core.errors import TIMEOUT, DependencyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_guard: Final = threading.Lock()


class AccountTurns:
    """A lock for tasks of any event loop and thread, first come first served.

    Attributes:
        in_flight: nonces of transactions that were sent and are neither mined nor given up.
    """

    def __init__(self) -> None:
        self.in_flight: set[int] = set()
        self._is_taken = False
        self._waiting: deque[Future[None]] = deque()

    @asynccontextmanager
    async def turn(self, timeout_s: float) -> AsyncIterator[None]:
        """Holds the account for the block.

        Raises:
            DependencyError: timeout: others have held it all the time.
        """
        await self._take(timeout_s)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, timeout_s: float) -> None:
        ticket = self._ask()
        if ticket is None:
            return
        try:
            await asyncio.wait_for(asyncio.wrap_future(ticket), timeout_s)
        except BaseException as error:
            # It may have been handed over in the same moment: then nobody else would ever get it.
            if not ticket.cancel():
                self._pass_on()
            if not isinstance(error, TimeoutError):
                raise
            text = f"other calls have used this account for {timeout_s:.0f} s; nothing was sent"
            raise DependencyError(TIMEOUT, text) from None

    def _ask(self) -> Future[None] | None:
        """A ticket for the queue, None where there is no queue."""
        with _guard:
            if not self._is_taken:
                self._is_taken = True
                return None
            ticket: Future[None] = Future()
            self._waiting.append(ticket)
            return ticket

    def _pass_on(self) -> None:
        while True:
            with _guard:
                if not self._waiting:
                    self._is_taken = False
                    return
                ticket = self._waiting.popleft()
            if ticket.set_running_or_notify_cancel():
                ticket.set_result(None)
                return


_accounts: WeakValueDictionary[tuple[object, ...], AccountTurns] = WeakValueDictionary()


def account_turns(*account: object) -> AccountTurns:
    """The one queue of an account; those that use it keep it alive.

    Args:
        account: what names the account and the service that counts its nonces.
    """
    with _guard:
        return _accounts.setdefault(account, AccountTurns())
