"""What makes a submission acceptable, on plain values: cheap to check, and checked again when it is committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from aligned.batcher.model import Account, Market, QueuedProof, State
from aligned.core import fees
from aligned.core.errors import (
    FEE_TOO_LOW,
    FUNDS_UNLOCKED,
    INSUFFICIENT_BALANCE,
    NONCE_TOO_HIGH,
    NONCE_USED,
    QUEUE_FULL,
    UNDERPRICED_REPLACEMENT,
    ConflictError,
    DependencyError,
    PaymentError,
    ProtocolError,
)

# Not charged yet: these still claim part of the balance.
UNCHARGED = (State.QUEUED, State.BUILDING)


class Role(Enum):
    """What a submission would be."""

    NEW = "new"
    REPLACEMENT = "replacement"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Bid:
    """The part of a submission that nonce, balance and fee are checked on."""

    nonce: int
    leaf: bytes
    max_fee_wei: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class LiveEntry:
    """An accepted submission of the same sender that is not failed or replaced, or one that is being verified."""

    nonce: int
    leaf: bytes
    max_fee_wei: int
    size_bytes: int
    state: str


@dataclass(frozen=True, slots=True)
class QueueTotals:
    """Count and size of queued proofs."""

    proofs: int
    size_bytes: int

    def has_room_for(self, bid: Bid, limit: QueueTotals) -> bool:
        """Whether one more fits within `limit`."""
        return self.proofs + 1 <= limit.proofs and self.size_bytes + bid.size_bytes <= limit.size_bytes


@dataclass(frozen=True, slots=True)
class Rival:
    """A queued proof that may have to make way.

    Attributes:
        worth_wei: the highest max_fee among it and its sender's later ones, which would go with it.
    """

    proof: QueuedProof
    worth_wei: int


@dataclass(frozen=True, slots=True)
class Room:
    """The whole queue, as a new bid finds it.

    Attributes:
        cheapest: other senders' proofs that would go first, in that order; empty while there is room.
    """

    totals: QueueTotals
    cheapest: tuple[Rival, ...]


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Bounds of the queue, for everybody together and for one sender."""

    total: QueueTotals
    per_sender: QueueTotals


def nonce_role(bid: Bid, account: Account, live: Sequence[LiveEntry]) -> Role:
    """Whether the nonce is the sender's next one, or that of a proof which may be replaced.

    Raises:
        ProtocolError: nonce_too_high.
        ConflictError: nonce_used, underpriced_replacement.
    """
    expected = max([account.nonce, *(entry.nonce + 1 for entry in live)])
    if bid.nonce > expected:
        raise ProtocolError(
            NONCE_TOO_HIGH, f"got {bid.nonce}, the next nonce is {expected}", expected=expected
        )
    if bid.nonce == expected:
        return Role.NEW
    known = next((entry for entry in live if entry.nonce == bid.nonce), None)
    if known is not None and (known.leaf, known.max_fee_wei) == (bid.leaf, bid.max_fee_wei):
        return Role.DUPLICATE
    if known is None or known.state != State.QUEUED:
        raise ConflictError(
            NONCE_USED, f"nonce {bid.nonce} is used, the next one is {expected}", expected=expected
        )
    least_wei = fees.min_replacement_fee_wei(known.max_fee_wei)
    if bid.max_fee_wei < least_wei:
        text = f"max_fee {bid.max_fee_wei} wei, replacing the queued proof takes {least_wei}"
        raise ConflictError(UNDERPRICED_REPLACEMENT, text, required_wei=least_wei)
    return Role.REPLACEMENT


def check_balance(bid: Bid, account: Account, live: Sequence[LiveEntry]) -> None:
    """Refuses what the sender could not pay together with its other uncharged proofs.

    Raises:
        PaymentError: funds_unlocked, insufficient_balance.
    """
    if account.unlock_time_s:
        raise PaymentError(
            FUNDS_UNLOCKED, f"the funds are withdrawable from {account.unlock_time_s}; lock them first"
        )
    claimed_wei = sum(entry.max_fee_wei for entry in _others(bid, live) if entry.state in UNCHARGED)
    needed_wei = claimed_wei + bid.max_fee_wei
    if needed_wei > account.balance_wei:
        text = f"the balance is {account.balance_wei} wei, this proof and those queued may cost {needed_wei}"
        raise PaymentError(
            INSUFFICIENT_BALANCE, text, balance_wei=account.balance_wei, required_wei=needed_wei
        )


def check_fee(bid: Bid, account: Account, market: Market, assumed_batch: int) -> None:
    """Refuses an offer below the least price; what counts is the lower one of max_fee and the cap on chain.

    Raises:
        PaymentError: fee_too_low.
    """
    least_wei = market.min_max_fee_wei(assumed_batch)
    offered_wei = min(bid.max_fee_wei, account.fee_cap_wei)
    if offered_wei < least_wei:
        text = f"max_fee {bid.max_fee_wei} wei (cap on chain {account.fee_cap_wei}), at least {least_wei} is needed now"
        raise PaymentError(FEE_TOO_LOW, text, required_wei=least_wei)


def check_room(bid: Bid, live: Sequence[LiveEntry], limit: QueueTotals) -> None:
    """Refuses what one sender may not queue.

    Raises:
        DependencyError: queue_full; later there may be room.
    """
    own = [entry for entry in _others(bid, live) if entry.state in UNCHARGED]
    totals = QueueTotals(len(own), sum(entry.size_bytes for entry in own))
    if not totals.has_room_for(bid, limit):
        raise _full("your", totals, limit)


def outbid(bid: Bid, account: Account, room: Room, limit: QueueTotals) -> list[QueuedProof]:
    """The proofs that make way for a bid in a full queue: each of them offered clearly less.

    Raises:
        DependencyError: queue_full; later there may be room.
    """
    offered_wei, left, outbid = min(bid.max_fee_wei, account.fee_cap_wei), room.totals, []
    cheapest = iter(room.cheapest)
    while not left.has_room_for(bid, limit):
        rival = next(cheapest, None)
        if rival is None or offered_wei < fees.min_replacement_fee_wei(rival.worth_wei):
            raise _full("the", room.totals, limit)
        outbid.append(rival.proof)
        left = QueueTotals(left.proofs - 1, left.size_bytes - rival.proof.size_bytes)
    return outbid


def _full(whose: str, totals: QueueTotals, limit: QueueTotals) -> DependencyError:
    text = f"{whose} queue holds {totals.proofs} proofs of {totals.size_bytes} bytes"
    return DependencyError(QUEUE_FULL, f"{text}, at most {limit.proofs} of {limit.size_bytes}")


def _others(bid: Bid, live: Sequence[LiveEntry]) -> list[LiveEntry]:
    """All but the one that the bid would replace."""
    return [entry for entry in live if entry.nonce != bid.nonce]
