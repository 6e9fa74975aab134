"""Quorum arithmetic: who signed, is it enough, and what the contract needs to check it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aligned.core import bls
from aligned.core.errors import InvariantError

BPS = 10_000


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of the set at a task's block.

    Attributes:
        operator_id: keccak of its G1 key.
        stake_index: its stake record that covers the block.
    """

    address: bytes
    operator_id: bytes
    stake: int
    stake_index: int
    g1: bls.G1
    g2: bls.G2


@dataclass(frozen=True, slots=True)
class QuorumSignature:
    """`QuorumSignature` of BN254Types.sol."""

    snapshot_index: int
    aggregate_key: bls.G1
    signers_key_g2: bls.G2
    signature: bls.G1
    witness: bls.HashWitness
    non_signers: tuple[tuple[bls.G1, int], ...]

    def abi(self) -> tuple[object, ...]:
        """Nested tuples in ABI order."""
        non_signers = [(bls.g1_words(key), index) for key, index in self.non_signers]
        witness = (self.witness.root, list(self.witness.skips))
        return (
            self.snapshot_index,
            bls.g1_words(self.aggregate_key),
            bls.g2_words(self.signers_key_g2),
            bls.g1_words(self.signature),
            witness,
            non_signers,
        )


def signed_stake(operators: Sequence[Operator], signers: Mapping[bytes, bls.G1]) -> int:
    """Stake of those who signed."""
    return sum(op.stake for op in operators if op.operator_id in signers)


def reached(signed: int, total: int, threshold_bps: int) -> bool:
    """Whether `signed` of `total` stake is a quorum; an empty one never is."""
    return signed > 0 and signed * BPS >= total * threshold_bps


def build_quorum(
    operators: Sequence[Operator], signatures: Mapping[bytes, bls.G1], digest: bytes, snapshot_index: int
) -> QuorumSignature:
    """Aggregates checked signatures (by operator id) over `digest`.

    Raises:
        InvariantError: a signature of somebody who is not in the set, or no signature at all.
    """
    signers = [op for op in operators if op.operator_id in signatures]
    if not signers or len(signers) != len(signatures):
        raise InvariantError(
            "quorum_signers", f"{len(signatures)} signatures, {len(signers)} of known operators"
        )
    absent = sorted(
        (op for op in operators if op.operator_id not in signatures), key=lambda op: op.operator_id
    )
    return QuorumSignature(
        snapshot_index=snapshot_index,
        aggregate_key=bls.aggregate_g1([op.g1 for op in operators]),
        signers_key_g2=bls.aggregate_g2([op.g2 for op in signers]),
        signature=bls.aggregate_g1([signatures[op.operator_id] for op in signers]),
        witness=bls.hash_witness(digest),
        non_signers=tuple((op.g1, op.stake_index) for op in absent),
    )
