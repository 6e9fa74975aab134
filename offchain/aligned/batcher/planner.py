"""From candidates to the plan of a batch whose root neither we nor the chain have seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog
from aligned_native import merkle_paths, merkle_root

from aligned.batcher import batches, queue, selection
from aligned.batcher.batches import Plan
from aligned.batcher.model import Market, QueuedProof
from aligned.batcher.ports import TaskChain
from aligned.batcher.selection import BatchLimits, Candidate, Selection
from aligned.chain.contracts import BatchStatus
from aligned.core.batch import batch_id, filler_generators, orders
from aligned.core.commitment import commit
from aligned.storage.postgres import Database
from aligned.wire.batch_file import HEAD_BYTES, decode_item, encode_item

log = structlog.get_logger(__name__)
# The second selection leaves room for a filler; a third one, for when that changed which member is the smallest.
_MAX_SELECTIONS = 3


@dataclass(frozen=True, slots=True)
class _Tree:
    """Members in the order of their leaves, and the element behind them, if any."""

    members: tuple[QueuedProof, ...]
    leaves: bytes
    filler: bytes | None


class Planner:
    """Chooses the members of a batch and gives it a root of its own."""

    def __init__(self, db: Database, chain: TaskChain, limits: BatchLimits, payment_service: bytes) -> None:
        self._db = db
        self._chain = chain
        self._limits = limits
        self._payment_service = payment_service

    async def plan(self, candidates: Sequence[Candidate], market: Market) -> Plan | None:
        """The next batch; None if nobody can afford one, or while no room is left to make its root unique."""
        limits = self._limits
        for _ in range(_MAX_SELECTIONS):
            chosen = selection.select(candidates, limits, market.fee_per_proof_wei)
            if chosen is None:
                return None
            tree = await self._fresh_tree(chosen.proofs)
            if tree is not None:
                return self._plan(tree, chosen, market)
            spare_bytes = _smallest(chosen.proofs).size_bytes
            limits = BatchLimits(self._limits.max_proofs - 1, self._limits.max_bytes - spare_bytes)
        log.warning("no_fresh_root", candidates=len(candidates))
        return None

    async def _fresh_tree(self, proofs: tuple[QueuedProof, ...]) -> _Tree | None:
        """None if every order is taken and a filler does not fit."""
        leaves = [proof.leaf for proof in proofs]
        for order, root in orders(leaves):
            if await self._is_fresh(root):
                members = tuple(proofs[i] for i in order)
                return _Tree(members, b"".join(leaves[i] for i in order), None)
        smallest = _smallest(proofs)
        size_bytes = smallest.size_bytes + sum(proof.size_bytes for proof in proofs)
        if len(proofs) == self._limits.max_proofs or size_bytes > self._limits.max_bytes:
            return None
        return await self._filled_tree(proofs, b"".join(leaves), smallest)

    async def _filled_tree(
        self, proofs: tuple[QueuedProof, ...], leaves: bytes, repeated: QueuedProof
    ) -> _Tree | None:
        """The members and one of them again. Each of them was on chain before: this gives no proof away early."""
        async with self._db.transaction() as conn:
            item = await queue.item(conn, repeated.id)
        if item is None:
            return None
        data = decode_item(item)
        # Row ids grow with each submission, so a set of proofs that comes again brings a seed of its own.
        seed = max(proof.id for proof in proofs)
        for generator in filler_generators(merkle_root(leaves), seed):
            filler = replace(data, proof_generator_addr=generator)
            filled = leaves + commit(filler).leaf
            if await self._is_fresh(merkle_root(filled)):
                return _Tree(proofs, filled, encode_item(filler))
        raise AssertionError("addresses do not end")

    async def _is_fresh(self, root: bytes) -> bool:
        async with self._db.transaction() as conn:
            if await batches.has_root(conn, root):
                return False
        return await self._chain.task_status(root) is BatchStatus.UNKNOWN

    def _plan(self, tree: _Tree, chosen: Selection, market: Market) -> Plan:
        root = merkle_root(tree.leaves)
        items_bytes = sum(proof.size_bytes for proof in tree.members)
        return Plan(
            batch_id=batch_id(root, self._payment_service),
            root=root,
            members=tree.members,
            paths=tuple(merkle_paths(tree.leaves)[: len(tree.members)]),
            filler=tree.filler,
            size_bytes=HEAD_BYTES + items_bytes + len(tree.filler or b""),
            fee_per_proof_wei=chosen.fee_per_proof_wei,
            answer_fee_wei=market.answer_fee_wei(),
        )


def _smallest(proofs: Sequence[QueuedProof]) -> QueuedProof:
    return min(proofs, key=lambda proof: (proof.size_bytes, proof.id))
