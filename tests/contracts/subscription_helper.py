"""Payments of aggregation mode: who paid what, and until when."""

from __future__ import annotations

from typing import Any, NamedTuple

DAY_S = 86_400


class Paid(NamedTuple):
    """Fields of a UserPayment event, times relative to its block."""

    user: str
    payer: str
    amount_wei: int
    proofs: int
    valid_from: int
    valid_until: int


def payments(subscriptions: Any, receipt: Any) -> list[Paid]:
    return [
        Paid(
            event.user,
            event.payer,
            event.amountWei,
            event.proofs,
            event.validFrom - receipt.timestamp,
            event.validUntil - receipt.timestamp,
        )
        for event in receipt.decode_logs(subscriptions.UserPayment)
    ]


def at(web3: Any, timestamp: int) -> None:
    """The next block has this time."""
    web3.provider.make_request("anvil_setNextBlockTimestamp", [hex(timestamp)])


def now(web3: Any) -> int:
    return int(web3.eth.get_block("latest")["timestamp"])
