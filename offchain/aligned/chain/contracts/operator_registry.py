"""OperatorRegistry: keys and stakes per block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from aligned.chain.client import BlockId
from aligned.chain.contracts.bound import BoundContract
from aligned.chain.deployment import address_bytes
from aligned.core.bls import g1_bytes, g2_bytes
from aligned.core.quorum import Operator


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The quorum's aggregate state from `from_block` to before `next_block` (0: still valid)."""

    aggregate_key_hash: bytes
    from_block: int
    next_block: int
    operator_count: int
    total_stake: int


class OperatorRegistry(BoundContract):
    """OperatorRegistry."""

    abi_name = "OperatorRegistry"

    async def operators(self, block: BlockId = "latest") -> list[Operator]:
        """The set at the end of `block`."""
        return [_operator(view) for view in await self._call("operators", block=block)]

    async def snapshot_index_at(self, covered_block: int, block: BlockId = "latest") -> int:
        """Index of the snapshot that covers `covered_block`.

        Raises:
            TxReverted: SnapshotDoesNotCover.
        """
        return int(await self._call("snapshotIndexAt", covered_block, block=block))

    async def snapshot(self, index: int, block: BlockId = "latest") -> Snapshot:
        """Snapshot by index; zeros when there is none."""
        return Snapshot(*await self._call("snapshots", index, block=block))

    async def snapshot_count(self, block: BlockId = "latest") -> int:
        """Number of snapshots."""
        return int(await self._call("snapshotCount", block=block))

    async def is_registered(self, operator: bytes, block: BlockId = "latest") -> bool:
        """Whether it is in the set."""
        return bool(await self._call("isRegistered", operator, block=block))

    async def operator_id_of(self, operator: bytes, block: BlockId = "latest") -> bytes:
        """Operator id of an address, zeros if it never had one."""
        return cast("bytes", await self._call("operatorIdOf", operator, block=block))

    async def possession_digest(self, operator: bytes) -> bytes:
        """What proves possession of a BLS key."""
        return cast("bytes", await self._call("possessionDigest", operator))

    def encode_register(
        self,
        g1: tuple[int, int],
        g2: tuple[tuple[int, int], tuple[int, int]],
        possession: tuple[int, int],
        witness: tuple[int, Sequence[int]],
        socket: str,
    ) -> bytes:
        """Calldata of register; points as `core.bls.g1_words` and `g2_words` give them."""
        return self._encode("register", g1, g2, possession, (witness[0], list(witness[1])), socket)

    def encode_deregister(self) -> bytes:
        """Calldata of deregister."""
        return self._encode("deregister")

    def encode_update_stakes(self, operators: Sequence[bytes]) -> bytes:
        """Calldata of updateStakes."""
        return self._encode("updateStakes", list(operators))

    def encode_update_socket(self, socket: str) -> bytes:
        """Calldata of updateSocket."""
        return self._encode("updateSocket", socket)


def _operator(view: tuple[Any, ...]) -> Operator:
    address, operator_id, stake, stake_index, g1, g2, _socket = view
    return Operator(
        address=address_bytes(address),
        operator_id=operator_id,
        stake=stake,
        stake_index=stake_index,
        g1=g1_bytes(g1),
        g2=g2_bytes(g2),
    )
