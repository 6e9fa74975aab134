"""Which queued proofs go into the next batch, and what they pay. Pure.

Everybody in a batch pays the same price, which falls with the number of proofs. A sender's proofs are taken in nonce
order without a gap, so what is left of a sender is always its tail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from aligned.batcher.model import Account, QueuedProof
from aligned.core.errors import FUNDS_UNLOCKED, INSUFFICIENT_BALANCE, NONCE_USED


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proof that may go into a batch.

    Attributes:
        fee_limit_wei: the lower one of its max_fee and of its sender's cap on chain.
    """

    proof: QueuedProof
    fee_limit_wei: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A proof that will never be in a batch, and why."""

    proof: QueuedProof
    code: str


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds of one batch; `max_bytes` is for the elements of the file."""

    max_proofs: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Selection:
    """The next batch, by sender and nonce (contracts charge sorted submitters most cheaply)."""

    proofs: tuple[QueuedProof, ...]
    fee_per_proof_wei: int


def cut(
    proofs: Sequence[QueuedProof], code_of: Callable[[QueuedProof], str | None]
) -> tuple[list[QueuedProof], list[Dropped]]:
    """One sender's proofs (in nonce order) up to the first that must go, which takes the later ones with it.

    Their nonces could not follow. Proofs without a code stay.
    """
    for offset, proof in enumerate(proofs):
        if code := code_of(proof):
            return list(proofs[:offset]), [Dropped(late, code) for late in proofs[offset:]]
    return list(proofs), []


class Patience:
    """How long proofs have offered less than the least price; remembered from look to look.

    Args:
        blocks: for which such an offer is kept.
    """

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self._low_since: dict[int, int] = {}

    def exhausted(self, candidates: Iterable[Candidate], least_wei: int, block: int) -> set[int]:
        """Ids of the proofs whose offer was too low at every look for too long."""
        low = [item.proof.id for item in candidates if item.fee_limit_wei < least_wei]
        self._low_since = {id_: self._low_since.get(id_, block) for id_ in low}
        return {id_ for id_, since in self._low_since.items() if block - since >= self._blocks}


class Gaps:
    """Senders whose next queued nonce is above the contract's count; remembered from look to look.

    For some blocks that means that the node which we ask has not seen our last batch yet. Longer it means that a batch
    was charged once and is not any more (a reorganisation, after which its proofs could not be posted again). The
    contract only counts proofs and compares no nonces, so nobody has to wait for a nonce that never comes.

    Args:
        blocks: for which a gap is the node's.
    """

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self._known: dict[bytes, tuple[tuple[int, int], int]] = {}

    def start(self, proofs: Sequence[QueuedProof], account: Account, block: int) -> int:
        """The nonce from which a sender's proofs (in nonce order, at least one) may be posted."""
        sender = proofs[0].sender
        first = next((proof.nonce for proof in proofs if proof.nonce >= account.nonce), account.nonce)
        if first == account.nonce:
            self._known.pop(sender, None)
            return first
        gap = (account.nonce, first)
        known, since = self._known.get(sender, (gap, block))
        since = since if known == gap else block
        self._known[sender] = (gap, since)
        return first if block - since >= self._blocks else account.nonce

    def keep(self, senders: Iterable[bytes]) -> None:
        """Forgets senders that queue nothing any more."""
        self._known = {sender: self._known[sender] for sender in senders if sender in self._known}


def payable(
    proofs: Sequence[QueuedProof], account: Account, start: int | None = None
) -> tuple[list[Candidate], list[Dropped]]:
    """What one sender's account can still pay of its queued proofs (in nonce order).

    Proofs behind a gap are neither: the node that we ask may not have seen our last batch yet.

    Args:
        start: the nonce from which on there is no gap; None: the account's.
    """
    start = account.nonce if start is None else start
    dropped = [Dropped(proof, NONCE_USED) for proof in proofs if proof.nonce < account.nonce]
    rest = [proof for proof in proofs if proof.nonce >= account.nonce]
    if account.unlock_time_s:
        return [], dropped + [Dropped(proof, FUNDS_UNLOCKED) for proof in rest]
    kept: list[Candidate] = []
    owed_wei = 0
    for offset, proof in enumerate(rest):
        owed_wei += proof.max_fee_wei
        if owed_wei > account.balance_wei:
            return kept, dropped + [Dropped(late, INSUFFICIENT_BALANCE) for late in rest[offset:]]
        if proof.nonce == start + offset:
            kept.append(Candidate(proof, min(proof.max_fee_wei, account.fee_cap_wei)))
    return kept, dropped


def select(
    candidates: Iterable[Candidate], limits: BatchLimits, price_wei: Callable[[int], int]
) -> Selection | None:
    """The largest batch that everybody in it can afford, highest payers first; None if there is none.

    Args:
        price_wei: price of a proof in a batch of n, falling in n.
    """
    ranked = _within(_ranked(candidates), limits)
    for count in range(len(ranked), 0, -1):
        price = price_wei(count)
        if price <= ranked[count - 1].willing_wei:
            chosen = sorted(
                (item.proof for item in ranked[:count]), key=lambda proof: (proof.sender, proof.nonce)
            )
            return Selection(tuple(chosen), price)
    return None


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A candidate with what it can be charged together with all its sender's earlier ones."""

    proof: QueuedProof
    willing_wei: int
    arrival: int


def _ranked(candidates: Iterable[Candidate]) -> list[_Ranked]:
    """Best payers first, then first come; a sender's proofs stay in nonce order.

    For that a proof counts with the lowest fee and the latest arrival among itself and its predecessors.
    """
    ranked: list[_Ranked] = []
    ordered = sorted(candidates, key=lambda c: (c.proof.sender, c.proof.nonce))
    for _, own in groupby(ordered, key=lambda c: c.proof.sender):
        willing_wei, arrival = None, 0
        for candidate in own:
            limit = candidate.fee_limit_wei
            willing_wei = limit if willing_wei is None else min(willing_wei, limit)
            arrival = max(arrival, candidate.proof.id)
            ranked.append(_Ranked(candidate.proof, willing_wei, arrival))
    return sorted(ranked, key=lambda r: (-r.willing_wei, r.arrival, r.proof.sender, r.proof.nonce))


def _within(ranked: Sequence[_Ranked], limits: BatchLimits) -> list[_Ranked]:
    """As many as fit, from the best; a sender whose proof does not fit waits with all its later ones."""
    taken: list[_Ranked] = []
    waiting: set[bytes] = set()
    room_bytes = limits.max_bytes
    for item in ranked:
        if len(taken) == limits.max_proofs:
            break
        if item.proof.sender in waiting or item.proof.size_bytes > room_bytes:
            waiting.add(item.proof.sender)
            continue
        taken.append(item)
        room_bytes -= item.proof.size_bytes
    return taken
