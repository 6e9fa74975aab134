"""Batches through the payment service, and what becomes of their money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_utils import keccak
from quorum_helper import FEE_WEI, POINTER
from reverting import revert_of

ROOT = b"\x44" * 32
FEE_PER_PROOF = 5 * 10**15
DEPOSIT = 10**17
HOUR_S = 3_600
GWEI = 10**9
BASE_FEE_WEI = 20 * GWEI
TIP_WEI = 3 * GWEI  # what the contract takes into account at most


@dataclass(frozen=True)
class Funding:
    """What `settle` wants to hear besides the payers."""

    held_wei: int
    payers_fee_wei: int
    limit_wei: int = FEE_WEI

    def args(self) -> tuple[int, int, int]:
        return self.held_wei, self.payers_fee_wei, self.limit_wei


def charge(
    payment_service: Any,
    batcher: Any,
    submitters: list[Any],
    root: bytes = ROOT,
    fee: int = FEE_PER_PROOF,
    limit: int = FEE_WEI,
    **options: Any,
) -> Any:
    args = (root, POINTER, submitters, limit, fee, limit)
    return payment_service.createNewTask(*args, sender=batcher, **options)


def refused(
    payment_service: Any,
    sender: Any,
    submitters: list[Any],
    fee: int = FEE_PER_PROOF,
    for_aggregator: int = FEE_WEI,
    limit: int = FEE_WEI,
) -> str:
    args = (ROOT, POINTER, submitters, for_aggregator, fee, limit)
    return revert_of(payment_service.createNewTask, *args, sender=sender)


def funding(payment_service: Any, receipt: Any, limit: int = FEE_WEI) -> Funding:
    [event] = receipt.decode_logs(payment_service.TaskFunded)
    return Funding(event.heldWei, event.payersFeeWei, limit)


def skipped(payment_service: Any, receipt: Any) -> list[tuple[str, int, int]]:
    """(submitter, reason, proofs) of each run that was not charged in full."""
    events = receipt.decode_logs(payment_service.SubmitterSkipped)
    return [(event.submitter, event.reason, event.proofs) for event in events]


def settlement_hash(payers: list[Any], funded: Funding) -> bytes:
    words = [bytes.fromhex(payer.address[2:]).rjust(32, b"\0") for payer in payers]
    return keccak(b"".join(words) + b"".join(amount.to_bytes(32, "big") for amount in funded.args()))


def settle(payment_service: Any, payers: list[Any], funded: Funding, sender: Any, root: bytes = ROOT) -> Any:
    return payment_service.settle(root, payers, *funded.args(), sender=sender)


def price(web3: Any, base_fee_wei: int = BASE_FEE_WEI, tip_wei: int = TIP_WEI) -> dict[str, int]:
    """Options of a transaction that pays exactly so much, in the next block."""
    web3.provider.make_request("anvil_setNextBlockBaseFeePerGas", [hex(base_fee_wei)])
    return {"max_fee": base_fee_wei + tip_wei, "max_priority_fee": tip_wei, "gas_limit": 3_000_000}


def deposit_more(payment_service: Any, users: list[Any]) -> None:
    for user in users:
        payment_service.deposit(user, value=10**18, sender=user)
