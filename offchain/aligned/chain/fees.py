"""Fees: what the market asks, what to offer at first, and by how much to raise it."""

from __future__ import annotations

from dataclasses import dataclass, replace

# Nodes replace a pending transaction only when both fees rise by a tenth (geth) or an eighth (some others), and one
# with blobs only when all three fees double.
BUMP_NUMERATOR = 9
BUMP_DENOMINATOR = 8
BLOB_BUMP_FACTOR = 2
_GWEI = 10**9


@dataclass(frozen=True, slots=True)
class Fees:
    """Offer of one transaction, in wei per gas; `blob_fee_wei` is 0 in one without blobs."""

    max_fee_wei: int
    priority_fee_wei: int
    blob_fee_wei: int = 0

    @property
    def with_blobs(self) -> bool:
        """Whether this is the offer of a blob transaction."""
        return self.blob_fee_wei > 0


@dataclass(frozen=True, slots=True)
class Caps:
    """Most that is ever offered per gas and per blob gas, in wei."""

    max_fee_wei: int
    blob_fee_wei: int = 0

    @classmethod
    def from_gwei(cls, max_fee_gwei: int, blob_fee_gwei: int = 0) -> Caps:
        """As the settings have them."""
        return cls(max_fee_gwei * _GWEI, blob_fee_gwei * _GWEI)

    def allow(self, fees: Fees) -> bool:
        """Whether an offer is within the caps."""
        return fees.max_fee_wei <= self.max_fee_wei and fees.blob_fee_wei <= self.blob_fee_wei


@dataclass(frozen=True, slots=True)
class Limit:
    """What one request may offer.

    Attributes:
        max_fee_wei: most per gas; None: only the account's caps hold.
        give_up_after_s: it is cancelled when the chain asks for more for so long; None: it waits.
        max_blob_fee_wei: most per blob gas; None: only the account's cap holds.
    """

    max_fee_wei: int | None = None
    give_up_after_s: float | None = None
    max_blob_fee_wei: int | None = None

    def within(self, caps: Caps) -> Caps:
        """The lower of both bounds."""
        gas = caps.max_fee_wei if self.max_fee_wei is None else min(caps.max_fee_wei, self.max_fee_wei)
        if self.max_blob_fee_wei is None:
            return replace(caps, max_fee_wei=gas)
        return Caps(gas, min(caps.blob_fee_wei, self.max_blob_fee_wei))


UNLIMITED = Limit()


@dataclass(frozen=True, slots=True)
class Prices:
    """What the chain asks now, in wei: base fee, usual tip, and blob base fee (None: not asked for)."""

    base_fee_wei: int
    tip_wei: int
    blob_base_fee_wei: int | None = None


def market_fees(prices: Prices, caps: Caps) -> Fees:
    """First offer: holds through six full blocks of rising base fees; never above the caps."""
    max_fee_wei = min(2 * prices.base_fee_wei + prices.tip_wei, caps.max_fee_wei)
    priority_fee_wei = min(prices.tip_wei, max_fee_wei)
    if prices.blob_base_fee_wei is None:
        return Fees(max_fee_wei, priority_fee_wei)
    return Fees(max_fee_wei, priority_fee_wei, min(2 * max(1, prices.blob_base_fee_wei), caps.blob_fee_wei))


def too_dear(prices: Prices, caps: Caps) -> bool:
    """Whether an offer within the caps cannot be mined now."""
    return prices.base_fee_wei > caps.max_fee_wei or (prices.blob_base_fee_wei or 0) > caps.blob_fee_wei


def bumped(old: Fees, market: Fees, caps: Caps) -> Fees | None:
    """All fees as far above `old` as a replacement needs and not below `market`; None when a cap forbids that."""
    raised = _double if old.with_blobs else _by_an_eighth
    priority_fee_wei = max(raised(old.priority_fee_wei), market.priority_fee_wei)
    max_fee_wei = max(raised(old.max_fee_wei), market.max_fee_wei, priority_fee_wei)
    blob_fee_wei = max(_double(old.blob_fee_wei), market.blob_fee_wei) if old.with_blobs else 0
    offer = Fees(max_fee_wei, priority_fee_wei, blob_fee_wei)
    return offer if caps.allow(offer) else None


def _by_an_eighth(fee_wei: int) -> int:
    return fee_wei * BUMP_NUMERATOR // BUMP_DENOMINATOR + 1


def _double(fee_wei: int) -> int:
    return max(1, fee_wei * BLOB_BUMP_FACTOR)
