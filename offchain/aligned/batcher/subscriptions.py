"""Which connections wait for which proofs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol, TypeAlias

from aligned.batcher.model import State
from aligned.batcher.queue import Stored
from aligned.core.errors import PROOF_REPLACED, AlignedError, ConflictError
from aligned.core.types import InclusionProof
from aligned.wire.batcher_replies import Dialect, Inclusion


class ProofKey(NamedTuple):
    """What a subscriber waits for; the leaf tells a proof from the one that replaced it."""

    sender: bytes
    nonce: int
    leaf: bytes


# In which batch a proof is, or why it will be in none.
News: TypeAlias = Inclusion | AlignedError


class Subscriber(Protocol):
    """A connection."""

    dialect: Dialect

    def tell(self, key: ProofKey, news: News) -> None:
        """Sends news about a proof some time soon; never waits."""

    def tell_status(self, key: ProofKey, state: str) -> None:
        """Sends a change of state, to a client that takes such."""


class Subscriptions:
    """Tells connections what becomes of the proofs that they sent."""

    def __init__(self, payment_service: bytes) -> None:
        self._payment_service = payment_service
        self._by_proof: dict[ProofKey, set[Subscriber]] = {}
        # For each connection what it waits for, and whether it has got the inclusion data already.
        self._pending: dict[Subscriber, dict[ProofKey, bool]] = {}

    def pending(self, subscriber: Subscriber) -> int:
        """How many proofs it waits for."""
        return len(self._pending.get(subscriber, ()))

    def first_pending(self, subscriber: Subscriber) -> dict[bytes, int]:
        """The lowest nonce of each sender that a connection still waits for."""
        lowest: dict[bytes, int] = {}
        for key in self._pending.get(subscriber, ()):
            lowest[key.sender] = min(key.nonce, lowest.get(key.sender, key.nonce))
        return lowest

    def add(self, stored: Stored, subscriber: Subscriber) -> None:
        """Lets a connection wait for a proof, or answers at once where its fate is known already."""
        key = ProofKey(stored.sender, stored.nonce, stored.leaf)
        self._by_proof.setdefault(key, set()).add(subscriber)
        self._pending.setdefault(subscriber, {})[key] = False
        self.catch_up(stored)

    def catch_up(self, stored: Stored) -> None:
        """Tells what a proof's state says, to those that do not know it yet."""
        key = ProofKey(stored.sender, stored.nonce, stored.leaf)
        if stored.is_included:
            self.included([stored])
        if stored.state == State.VERIFIED:
            self.verified(key)
        elif stored.state in (State.FAILED, State.REPLACED):
            text = stored.reason or "it is not in the queue any more"
            self.dropped(key, ConflictError(stored.reason_code or stored.state, text))

    def remove(self, subscriber: Subscriber) -> None:
        """Forgets a connection that ended."""
        for key in list(self._pending.get(subscriber, ())):
            self._forget(key, subscriber)
        self._pending.pop(subscriber, None)

    def included(self, members: Iterable[Stored]) -> None:
        """Sends inclusion data, in the order given: by sender and ascending nonce, as v0.10 clients need it."""
        for stored in members:
            inclusion = self._inclusion(stored)
            key = ProofKey(stored.sender, stored.nonce, stored.leaf)
            for subscriber in list(self._by_proof.get(key, ())):
                if self._pending[subscriber][key]:
                    continue
                self._pending[subscriber][key] = True
                subscriber.tell(key, inclusion)
                if not subscriber.dialect.wants_outcome:
                    self._forget(key, subscriber)

    def dropped(self, key: ProofKey, error: AlignedError) -> None:
        """Tells that an accepted proof will not be in a batch."""
        for subscriber in list(self._by_proof.get(key, ())):
            subscriber.tell(key, error)
            self._forget(key, subscriber)

    def replaced(self, key: ProofKey) -> None:
        """Tells that another proof took the nonce."""
        self.dropped(key, ConflictError(PROOF_REPLACED, f"another proof took nonce {key.nonce}"))

    def status(self, key: ProofKey, state: str) -> None:
        """Tells a change of state to those who want to hear it."""
        for subscriber in self._by_proof.get(key, ()):
            subscriber.tell_status(key, state)

    def verified(self, key: ProofKey) -> None:
        """Tells that the batch is verified, the last news about a proof."""
        self.status(key, State.VERIFIED)
        for subscriber in list(self._by_proof.get(key, ())):
            self._forget(key, subscriber)

    def waiting_for(self) -> list[ProofKey]:
        """Everything that somebody waits for."""
        return list(self._by_proof)

    def _forget(self, key: ProofKey, subscriber: Subscriber) -> None:
        del self._pending[subscriber][key]
        self._by_proof[key].discard(subscriber)
        if not self._by_proof[key]:
            del self._by_proof[key]

    def _inclusion(self, stored: Stored) -> Inclusion:
        assert stored.root is not None and stored.path is not None
        assert stored.batch_index is not None and stored.task_block is not None
        return Inclusion(
            stored.leaf,
            stored.sender,
            stored.nonce,
            InclusionProof(stored.root, stored.path, stored.batch_index),
            sender_address=self._payment_service,
            task_block=stored.task_block,
            tx_hash=stored.tx_hash or b"",
        )
