"""AlignedLayerServiceManager: tasks, answers, inclusion."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import cast

from aligned.chain.client import BlockId
from aligned.chain.contracts.bound import BoundContract
from aligned.chain.deployment import address_bytes
from aligned.chain.types import LogEntry
from aligned.core.quorum import QuorumSignature


class BatchStatus(IntEnum):
    """Life of a batch."""

    UNKNOWN = 0
    PENDING = 1
    VERIFIED = 2
    EXPIRED = 3
    REVOKED = 4


@dataclass(frozen=True, slots=True)
class BatchState:
    """A batch record; `task_block` is 0 for an unknown one."""

    task_block: int
    responded: bool
    fee_limit_wei: int


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """Parameters of the service manager."""

    min_total_stake: int
    min_fee_wei: int
    min_signers: int
    threshold_bps: int
    response_window_blocks: int
    max_tip_gwei: int
    intake_paused: bool


@dataclass(frozen=True, slots=True)
class NewBatch:
    """NewBatchV3: a task was created."""

    root: bytes
    sender: bytes
    task_block: int
    pointer: str
    fee_limit_wei: int
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class BatchVerified:
    """BatchVerified: a quorum answered."""

    root: bytes
    sender: bytes
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int


class ServiceManager(BoundContract):
    """AlignedLayerServiceManager."""

    abi_name = "AlignedLayerServiceManager"

    async def batch_status(self, root: bytes, sender: bytes, block: BlockId = "latest") -> BatchStatus:
        """Where a batch stands."""
        return BatchStatus(await self._call("batchStatus", root, sender, block=block))

    async def batches_state(self, batch_id: bytes, block: BlockId = "latest") -> BatchState:
        """The record of a batch."""
        return BatchState(*await self._call("batchesState", batch_id, block=block))

    async def last_response_block(self, batch_id: bytes, block: BlockId = "latest") -> int:
        """Last block in which it may be answered, 0 if unknown."""
        return int(await self._call("lastResponseBlock", batch_id, block=block))

    async def disabled_verifiers(self, block: BlockId = "latest") -> int:
        """Bitmap; bit i is proving system i."""
        return int(await self._call("disabledVerifiers", block=block))

    async def task_digest(self, batch_id: bytes, task_block: int) -> bytes:
        """What operators sign."""
        return cast("bytes", await self._call("taskDigest", batch_id, task_block))

    async def balance_of(self, account: bytes, block: BlockId = "latest") -> int:
        """Free balance in wei."""
        return int(await self._call("balanceOf", account, block=block))

    async def config(self, block: BlockId = "latest") -> ServiceConfig:
        """Parameters in force."""
        return ServiceConfig(*await self._call("config", block=block))

    async def verify_batch_inclusion(
        self,
        commitments: tuple[bytes, bytes, bytes],
        generator: bytes,
        root: bytes,
        path: bytes,
        index: int,
        sender: bytes,
        block: BlockId = "latest",
    ) -> bool:
        """Whether a proof is in a verified batch; `commitments` are of proof, public input and aux data."""
        args = (*commitments, generator, root, path, index, sender)
        return bool(await self._call("verifyBatchInclusion", *args, block=block))

    def encode_create_new_task(self, root: bytes, pointer: str, fee_limit_wei: int) -> bytes:
        """Calldata of createNewTask."""
        return self._encode("createNewTask", root, pointer, fee_limit_wei)

    def encode_respond_to_task(self, root: bytes, sender: bytes, quorum: QuorumSignature) -> bytes:
        """Calldata of respondToTask."""
        return self._encode("respondToTask", root, sender, quorum.abi())

    def encode_reclaim(self, root: bytes) -> bytes:
        """Calldata of reclaim."""
        return self._encode("reclaim", root)

    def encode_deposit(self, account: bytes) -> bytes:
        """Calldata of depositToBatcher."""
        return self._encode("depositToBatcher", account)

    def encode_withdraw(self, amount_wei: int) -> bytes:
        """Calldata of withdraw."""
        return self._encode("withdraw", amount_wei)

    def encode_set_disabled_verifiers(self, bitmap: int) -> bytes:
        """Calldata of setDisabledVerifiers."""
        return self._encode("setDisabledVerifiers", bitmap)

    def parse_new_batch(self, log: LogEntry) -> NewBatch:
        """Decodes NewBatchV3.

        Raises:
            ProtocolError: malformed_abi.
        """
        fields = self._decode("NewBatchV3", log)
        return NewBatch(
            root=fields["batchMerkleRoot"],
            sender=address_bytes(fields["senderAddress"]),
            task_block=fields["taskCreatedBlock"],
            pointer=fields["batchDataPointer"],
            fee_limit_wei=fields["respondToTaskFeeLimit"],
            block_number=log.block_number,
            block_hash=log.block_hash,
            tx_hash=log.tx_hash,
            log_index=log.log_index,
        )

    def parse_batch_verified(self, log: LogEntry) -> BatchVerified:
        """Decodes BatchVerified.

        Raises:
            ProtocolError: malformed_abi.
        """
        fields = self._decode("BatchVerified", log)
        return BatchVerified(
            root=fields["batchMerkleRoot"],
            sender=address_bytes(fields["senderAddress"]),
            block_number=log.block_number,
            block_hash=log.block_hash,
            tx_hash=log.tx_hash,
            log_index=log.log_index,
        )
