"""Who may wait for a proof: long polls and event streams have places, and strangers give theirs up to others.

A client that submitted for the account of a proof lately is its owner, and comes before strangers; among these, whoever
has most places gives one up to whoever has fewer. So nobody keeps everybody else from waiting.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aligned.clients import Client
from aligned.core.errors import SERVER_BUSY, DependencyError
from aligned.limits import Shares

_MAX_OWNERS = 10_000
_OWNED_PARTS = 8


class Hold:
    """One place. Whoever has it looks whether it `ended`, and is woken when it does."""

    def __init__(self) -> None:
        self.ended = False
        self._wake: Callable[[], None] = lambda: None

    def on_end(self, wake: Callable[[], None]) -> None:
        """What to call when somebody else gets the place."""
        self._wake = wake

    def end(self) -> None:
        """Somebody else has the place now."""
        self.ended = True
        self._wake()


class Waits:
    """The places of one gateway process.

    Args:
        limit: of all.
        limit_per_client: of one address; networks have some times as much.
    """

    def __init__(self, limit: int, limit_per_client: int) -> None:
        self._limit = limit
        self._limit_per_client = limit_per_client
        self._by_client = Shares(2 * limit)  # of all there is a bound below
        self._total = 0
        # Places of strangers by their widest network, the oldest first.
        self._strangers: dict[str, OrderedDict[Hold, None]] = {}
        self._owned: Counter[bytes | None] = Counter()
        self._owners: OrderedDict[tuple[bytes, str], None] = OrderedDict()

    @property
    def total(self) -> int:
        """Places that are taken."""
        return self._total

    def remember(self, account: bytes, client: Client) -> None:
        """This client submits for this account, which has paid."""
        self._owners[account, client.name] = None
        self._owners.move_to_end((account, client.name))
        if len(self._owners) > _MAX_OWNERS:
            self._owners.popitem(last=False)

    @contextmanager
    def hold(self, client: Client, account: bytes | None) -> Iterator[Hold]:
        """A place for the block, to wait for a proof of `account`.

        Raises:
            ProtocolError: rate_limited, when the client's share is used up.
            DependencyError: server_busy, when all places are taken by others who have no less right to them.
        """
        is_owner = self._is_owner(account, client)
        network = client.networks[-1] if client.networks else client.name
        with self._by_client.take(client.bounds(self._limit_per_client), 1, "waits"):
            if self._total >= self._limit:
                self._make_room(network, is_owner)
            hold = Hold()
            self._total += 1
            if is_owner:
                self._owned[account] += 1
            else:
                self._strangers.setdefault(network, OrderedDict())[hold] = None
            try:
                yield hold
            finally:
                self._give_back(network, hold)
                if is_owner:
                    self._owned[account] -= 1

    def _is_owner(self, account: bytes | None, client: Client) -> bool:
        """One account has a part of the places before strangers, beyond that it is one of them."""
        if account is None or (account, client.name) not in self._owners:
            return False
        return self._owned[account] < max(1, self._limit // _OWNED_PARTS)

    def _make_room(self, network: str, is_owner: bool) -> None:
        """Ends the oldest place of the stranger who has most of them."""
        most = max(self._strangers, key=lambda each: len(self._strangers[each]), default=None)
        own = len(self._strangers.get(network, ()))
        if most is None or (not is_owner and len(self._strangers[most]) <= own + 1):
            raise DependencyError(SERVER_BUSY, f"waits: at most {self._limit} at a time")
        oldest = next(iter(self._strangers[most]))
        self._give_back(most, oldest)
        oldest.end()

    def _give_back(self, network: str, hold: Hold) -> None:
        if hold.ended:
            return
        self._total -= 1
        held = self._strangers.get(network, OrderedDict())
        held.pop(hold, None)
        if not held:
            self._strangers.pop(network, None)
