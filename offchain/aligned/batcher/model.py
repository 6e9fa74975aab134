"""Values of the batcher."""

from __future__ import annotations

from dataclasses import dataclass

from aligned_native import keccak256

from aligned.core import fees


class State:
    """States of a submission (column `submission.state`)."""

    QUEUED = "queued"
    BUILDING = "building"
    POSTED = "posted"
    VERIFIED = "verified"
    FAILED = "failed"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Account:
    """A user in the payment contract.

    Attributes:
        nonce: its next nonce.
        unlock_time_s: when its funds are withdrawable, 0 while locked.
        fee_cap_wei: most it may be charged for a proof.
    """

    nonce: int
    balance_wei: int
    unlock_time_s: int
    fee_cap_wei: int


@dataclass(frozen=True, slots=True)
class Market:
    """What the chain says at one block about prices and switches.

    Attributes:
        disabled_systems: bitmap, bit i is proving system i.
        min_answer_fee_wei: least answer fee that the service manager takes.
        timestamp_s: of the block; None where nobody needs its age.
    """

    block: int
    gas_price_wei: int
    disabled_systems: int
    min_answer_fee_wei: int
    timestamp_s: int | None = None

    def answer_fee_wei(self) -> int:
        """What a task sets aside for its answer."""
        return max(fees.fee_for_aggregator_wei(self.gas_price_wei), self.min_answer_fee_wei)

    def fee_per_proof_wei(self, proofs: int) -> int:
        """The uniform price in a batch of `proofs`."""
        return fees.fee_per_proof_wei(proofs, self.gas_price_wei, self.min_answer_fee_wei)

    def is_covered(self, proofs: int, fee_per_proof_wei: int) -> bool:
        """Whether a price that was set before still covers the cost without the margin that it was set with."""
        gas_price_wei = self.gas_price_wei * 100 // fees.GAS_PRICE_PERCENT
        return fee_per_proof_wei >= fees.fee_per_proof_wei(proofs, gas_price_wei, self.min_answer_fee_wei)

    def min_max_fee_wei(self, assumed_batch: int) -> int:
        """Least max_fee that is admitted: the price in a batch of `assumed_batch` proofs."""
        return fees.min_max_fee_wei(self.gas_price_wei, assumed_batch, self.min_answer_fee_wei)

    def is_disabled(self, system: int) -> bool:
        """Whether the chain has switched a proving system off."""
        return bool(self.disabled_systems >> system & 1)


@dataclass(frozen=True, slots=True)
class QueuedProof:
    """A queued submission without its bytes.

    Attributes:
        size_bytes: length of its element in the batch file.
        deadline_s: until when its receipt promises inclusion.
    """

    id: int
    sender: bytes
    nonce: int
    leaf: bytes
    max_fee_wei: int
    system: int
    size_bytes: int
    deadline_s: int


@dataclass(frozen=True, slots=True)
class Task:
    """Arguments of `BatcherPaymentService.createNewTask`.

    Attributes:
        submitters: 20 bytes each, one per proof, sorted.
    """

    root: bytes
    pointer: str
    submitters: tuple[bytes, ...]
    answer_fee_wei: int
    fee_per_proof_wei: int


@dataclass(frozen=True, slots=True)
class TxBounds:
    """What a transaction may cost at most, as it follows from what it is paid with.

    Attributes:
        max_fee_wei: per gas, in all of its forms; None leaves it to the account's own limit.
        give_up_after_s: how long the market may stay above that until it is cancelled.
    """

    max_fee_wei: int | None
    give_up_after_s: float


@dataclass(frozen=True, slots=True)
class PostedTask:
    """A task that is on chain.

    Attributes:
        tx_hash: None when it was found there without our transaction.
        skipped: submitters that the contract did not charge, one entry per proof.
        held_wei: what the contract keeps for the payers until the batch is settled.
        payers_fee_wei: part of the answer fee that the payers paid.
    """

    task_block: int
    tx_hash: bytes | None
    gas_used: int
    skipped: tuple[bytes, ...]
    held_wei: int
    payers_fee_wei: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """Arguments of `BatcherPaymentService.settle`, as the contract committed to them when the task was created.

    Attributes:
        payers: charged submitters, 20 bytes each, one per proof.
    """

    root: bytes
    payers: tuple[bytes, ...]
    held_wei: int
    payers_fee_wei: int
    answer_fee_wei: int

    @property
    def digest(self) -> bytes:
        """What the contract keeps of it (`settlementHash`)."""
        terms = (self.held_wei, self.payers_fee_wei, self.answer_fee_wei)
        words = [payer.rjust(32, b"\0") for payer in self.payers] + [wei.to_bytes(32, "big") for wei in terms]
        return keccak256(b"".join(words))
