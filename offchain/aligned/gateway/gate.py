"""How often somebody may ask, and how much at a time: by client address and by paying account."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from aligned.clients import Client, ClientNames, ClientRates
from aligned.gateway.refusals import refusal
from aligned.gateway.waits import Waits
from aligned.limits import Bound, RateLimiter, Shares
from aligned.settings import GatewaySettings
from aligned.wire.aggregator import RATE_LIMITED

_ROWS_OF_A_READ = 128
# How much faster an upload must be when all slots are taken.
_HASTE = 16


class Gate:
    """All bounds of one gateway process.

    Args:
        count_unnamed: is told why a client could not be told from its proxy.
    """

    def __init__(self, settings: GatewaySettings, count_unnamed: Callable[[str], None]) -> None:
        self.names = ClientNames(settings.trusted_proxies, settings.proxy_header, count_unnamed)
        self._reads = ClientRates(settings.reads_per_s, settings.read_burst)
        self._uploads = ClientRates(settings.uploads_per_s, settings.upload_burst)
        self._accounts = RateLimiter(settings.submissions_per_s, settings.submission_burst)
        self._rejection_cost = settings.rejection_cost
        self._settings = settings
        self.arrivals = Shares(settings.max_arrivals)
        self.uploads = Shares(settings.max_uploads)
        self.upload_bytes = Shares(settings.max_upload_bytes)
        self.waits = Waits(settings.max_waiters, settings.max_waiters_per_ip)
        self.leaf_lists = Shares(settings.max_leaf_lists)

    def admit_read(self, client: Client) -> None:
        """Raises ProtocolError rate_limited."""
        _check(self._reads.take(client), "requests")

    def charge_read(self, client: Client, rows: int) -> None:
        """An answer out of many rows took as long as several others."""
        self._reads.charge(client, rows / _ROWS_OF_A_READ)

    def admit_upload(self, client: Client) -> None:
        """Raises ProtocolError rate_limited."""
        _check(self._uploads.take(client), "uploads")

    def arrival(self, client: Client) -> AbstractContextManager[None]:
        """A place for a form whose texts are not there yet.

        Raises:
            ProtocolError: rate_limited. DependencyError: server_busy.
        """
        return self.arrivals.take(client.bounds(self._settings.max_uploads_per_ip), 1, "uploads")

    @contextmanager
    def upload(self, account: bytes, client: Client, size_bytes: int) -> Iterator[None]:
        """A slot for the files of an account that pays.

        An account has half of what is free, so that a few cannot take all, and then its address has its share.

        Raises:
            ProtocolError: rate_limited. DependencyError: server_busy.
        """
        own = self._settings
        free = own.max_uploads - self.uploads.total
        slots = Bound(account, max(1, min(own.max_uploads_per_account, free // 2)), "one account")
        part = own.max_upload_bytes * own.max_uploads_per_account // own.max_uploads
        room = Bound(account, max(part, size_bytes), "one account")
        with (
            self.uploads.take((slots, *client.bounds(own.max_uploads_per_ip)), 1, "uploads"),
            self.upload_bytes.take((room,), size_bytes, "bytes of uploads"),
        ):
            yield

    def least_bytes_per_s(self) -> float:
        """The least rate of an upload now: it rises when more than half of the slots are taken."""
        crowding = max(0.0, 2 * self.uploads.occupancy - 1)
        return float(self._settings.upload_min_bytes_per_s * _HASTE**crowding)

    def admit_account(self, address: bytes) -> None:
        """Raises ProtocolError rate_limited. Only for addresses that paid: strangers could invent any number."""
        _check(self._accounts.take(address), "submissions of this account")

    def count_rejection(self, address: bytes) -> None:
        """A rejected proof took a verifier's time and cost nothing: the account may submit the less for a while."""
        self._accounts.charge(address, self._rejection_cost)


def _check(wait_s: float, what: str) -> None:
    if wait_s > 0:
        raise refusal(RATE_LIMITED, f"too many {what}", retry_after_s=math.ceil(wait_s))
