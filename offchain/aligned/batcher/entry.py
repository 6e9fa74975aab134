"""What strangers may ask of the batcher: by client address, by account, and all of them together.

An account is *known* once a proof of its was accepted. Everybody else is a stranger: signing keys cost nothing, so what
strangers spend of the chain's endpoint and of the verifiers is counted by the address that they come from.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager

from aligned.batcher.penalties import Penalties, PenaltyRules
from aligned.batcher.turns import Turns
from aligned.clients import Client, ClientNames, ClientRates
from aligned.core.errors import PAUSED, RATE_LIMITED, DependencyError
from aligned.limits import RateLimiter
from aligned.settings import BatcherSettings

_MAX_KNOWN = 10_000
# An address may be shared by many, so it is paused later and never for long; accounts that are known do not notice.
_FREE_OF_CLIENT, _MAX_PAUSE_OF_CLIENT_S, _FORGET_OF_CLIENT_S = 8, 60.0, 30.0
# Proofs in work at a time: a verdict on the first ones stands before many more are looked at.
_KNOWN_IN_WORK, _STRANGE_IN_WORK, _CLIENT_IN_WORK = 32, 4, 16


class Entry:
    """All such bounds of one batcher process.

    Args:
        count_unnamed: is told why a client could not be told from its proxy.
    """

    def __init__(
        self, own: BatcherSettings, count_unnamed: Callable[[str], None] = lambda _reason: None
    ) -> None:
        self.names = ClientNames(own.trusted_proxies, own.proxy_header, count_unnamed)
        self._pages = ClientRates(own.pages_per_s, own.page_burst)
        self._handshakes = ClientRates(own.handshakes_per_s, own.handshake_burst)
        self._messages = ClientRates(own.messages_per_s, own.message_burst)
        self._strangers = ClientRates(own.stranger_messages_per_s, own.stranger_message_burst)
        self._all_strangers = RateLimiter(own.strangers_per_s, own.stranger_burst)
        self._senders = RateLimiter(own.sender_messages_per_s, own.sender_message_burst)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._sender_pauses = Penalties(
            PenaltyRules(own.invalid_free, own.invalid_pause_s, own.max_invalid_pause_s, own.invalid_forget_s)
        )
        self._client_pauses = Penalties(
            PenaltyRules(
                # An address is never held to less than an account behind it.
                max(_FREE_OF_CLIENT, own.invalid_free),
                own.invalid_pause_s,
                _MAX_PAUSE_OF_CLIENT_S,
                _FORGET_OF_CLIENT_S,
            )
        )
        self._turns = Turns()

    def page(self, client: Client) -> None:
        """Counts an HTTP request that costs something. Raises DependencyError rate_limited."""
        _check(self._pages.take(client), "requests from your address")

    def handshake(self, client: Client) -> None:
        """Counts a WebSocket. Raises DependencyError rate_limited."""
        _check(self._handshakes.take(client), "connections from your address")

    async def message(self, client: Client) -> None:
        """Counts a message of any kind; waits while there were too many."""
        while True:
            wait_s = self._messages.take(client)
            if not wait_s:
                return
            await asyncio.sleep(wait_s)

    def question(self, client: Client) -> None:
        """Counts something that is asked of chain and database for nothing. Raises DependencyError rate_limited."""
        _check(self._strangers.take(client), "questions from your address")
        _check(self._all_strangers.take(None), "questions of all strangers together")

    def submission(self, sender: bytes, client: Client) -> None:
        """Counts a submission with a good signature, before the chain is asked about its sender.

        Raises:
            DependencyError: rate_limited, paused_after_invalid_proofs.
        """
        self.check_pauses(sender, client)
        if sender not in self._known:
            _check(self._strangers.take(client), "messages of new accounts from your address")
            _check(self._all_strangers.take(None), "messages of new accounts")
        _check(self._senders.take(sender), "messages of this account")

    @asynccontextmanager
    async def verification(self, sender: bytes, client: Client) -> AsyncIterator[Hashable]:
        """Waits for the turn of a proof, and gives the lane in which it waits for a verifier.

        By then the proofs before it may have been found invalid: `check_pauses` again.
        """
        is_known = sender in self._known
        async with self._turns.take(sender, _KNOWN_IN_WORK if is_known else _STRANGE_IN_WORK):
            if is_known:
                yield sender
                return
            async with self._turns.take(client.name, _CLIENT_IN_WORK):
                yield client.name

    def valid(self, sender: bytes) -> None:
        """A proof was accepted: its sender has something to lose."""
        self._known[sender] = None
        self._known.move_to_end(sender)
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)

    def invalid(self, sender: bytes, client: Client) -> None:
        """A proof was not valid: the next ones wait."""
        self._sender_pauses.record(sender)
        for key in _keys(client):
            self._client_pauses.record(key)

    def check_pauses(self, sender: bytes, client: Client) -> None:
        """Raises DependencyError paused_after_invalid_proofs."""
        pauses = [(self._sender_pauses.wait_s(sender), "this account")]
        if sender not in self._known:
            pauses += [(self._client_pauses.wait_s(key), "your address") for key in _keys(client)]
        wait_s, whose = max(pauses)
        if wait_s > 0:
            after_s = math.ceil(wait_s)
            text = f"invalid proofs came from {whose}; the next one is looked at in {after_s} s"
            raise DependencyError(
                PAUSED, f"{text}; `aligned proof inspect` says what is wrong", retry_after_s=after_s
            )


def _keys(client: Client) -> tuple[str, ...]:
    """A host with IPv6 has as many addresses as it likes, a customer some networks."""
    return (client.name, *client.networks[:1])


def _check(wait_s: float, what: str) -> None:
    if wait_s > 0:
        after_s = math.ceil(wait_s)
        raise DependencyError(RATE_LIMITED, f"too many {what}; again in {after_s} s", retry_after_s=after_s)
