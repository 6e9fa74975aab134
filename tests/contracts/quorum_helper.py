"""Operators and what they sign, as the aggregator would put it together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import bls_helper as bls
from eth_utils import keccak

POINTER = "https://data.example/" + "a" * 81  # 102 bytes
FEE_WEI = 10**16
STAKE_WEI = 10 * 10**18


@dataclass(frozen=True)
class Member:
    """A registered operator."""

    account: Any
    key: bls.Key


@dataclass(frozen=True)
class Answer:
    """`QuorumSignature`, field by field, so that a test can spoil one of them."""

    snapshot_index: int
    aggregate_key: bls.Words
    signers_key_g2: bls.G2Words
    signature: bls.Words
    witness: tuple[int, list[int]]
    non_signers: list[tuple[bls.Words, int]] = field(default_factory=list)

    def abi(self) -> tuple[Any, ...]:
        return (
            self.snapshot_index,
            self.aggregate_key,
            self.signers_key_g2,
            self.signature,
            self.witness,
            self.non_signers,
        )

    def but(self, **changes: Any) -> Answer:
        return replace(self, **changes)


def batch_id(root: bytes, sender: str) -> bytes:
    return keccak(root + bytes.fromhex(sender[2:]))


def register(registry: Any, account: Any, key: bls.Key, socket: str = "https://operator.example") -> Any:
    """Registers with a right proof of possession."""
    digest = bytes(registry.possessionDigest(account))
    return registry.register(
        key.g1, key.g2, key.sign(digest), bls.witness(digest), socket, sender=account, gas_limit=2_000_000
    )


def bond_and_register(
    stake_source: Any, registry: Any, account: Any, key: bls.Key, stake_wei: int = STAKE_WEI
) -> Member:
    stake_source.bond(value=stake_wei, sender=account)
    register(registry, account, key)
    return Member(account, key)


def sign_task(
    service_manager: Any,
    registry: Any,
    root: bytes,
    sender: str,
    members: list[Member],
    absent: list[Member] | None = None,
    block: int | None = None,
) -> Answer:
    """The answer to a task by all `members` except the `absent` ones (stake record 0 unless it changed)."""
    absent = absent or []
    identifier = batch_id(root, sender)
    task_block = block if block is not None else service_manager.batchesState(identifier)[0]
    digest = bytes(service_manager.taskDigest(identifier, task_block))
    signers = bls.combined([m.key for m in members if m not in absent])
    missing = sorted((m.key for m in absent), key=lambda key: key.id)
    return Answer(
        snapshot_index=registry.snapshotIndexAt(task_block),
        aggregate_key=bls.sum_g1([m.key.g1 for m in members]),
        signers_key_g2=signers.g2,
        signature=signers.sign(digest),
        witness=bls.witness(digest),
        non_signers=[(key.g1, registry.stakeRecordCount(key.id) - 1) for key in missing],
    )
