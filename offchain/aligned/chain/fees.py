"""EIP-1559 fees: what to offer at first, and by how much to raise it."""

from __future__ import annotations

from dataclasses import dataclass

# Nodes replace a pending transaction only when both fees rise by a tenth (geth) or an eighth (some others).
BUMP_NUMERATOR = 9
BUMP_DENOMINATOR = 8


@dataclass(frozen=True, slots=True)
class Fees:
    """Offer of one transaction, in wei per gas."""

    max_fee_wei: int
    priority_fee_wei: int


def market_fees(base_fee_wei: int, tip_wei: int, cap_wei: int) -> Fees:
    """First offer: holds through six full blocks of rising base fee; never above `cap_wei`."""
    max_fee_wei = min(2 * base_fee_wei + tip_wei, cap_wei)
    return Fees(max_fee_wei, min(tip_wei, max_fee_wei))


def bumped(old: Fees, market: Fees, cap_wei: int) -> Fees | None:
    """Both fees at least an eighth above `old` and not below `market`; None when that would exceed `cap_wei`."""
    priority_fee_wei = max(_raise(old.priority_fee_wei), market.priority_fee_wei)
    max_fee_wei = max(_raise(old.max_fee_wei), market.max_fee_wei, priority_fee_wei)
    return None if max_fee_wei > cap_wei else Fees(max_fee_wei, priority_fee_wei)


def _raise(fee_wei: int) -> int:
    return fee_wei * BUMP_NUMERATOR // BUMP_DENOMINATOR + 1
