"""Reads the operator set at a task's block, once, so that votes can be checked and weighed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from aligned.bls_aggregator.tasks import Task, TaskStore
from aligned.chain.client import ChainClient
from aligned.chain.contracts import OperatorRegistry, ServiceManager, Snapshot
from aligned.core import bls
from aligned.core.errors import DependencyError
from aligned.core.quorum import Operator

log = structlog.get_logger(__name__)

SUPERSEDED: Final = "superseded"
OPERATOR_SET_INCONSISTENT: Final = "operator_set_inconsistent"


@dataclass(frozen=True, slots=True)
class Chain:
    """What the aggregator reads from the chain."""

    client: ChainClient
    manager: ServiceManager
    registry: OperatorRegistry


async def prepare(task: Task, chain: Chain, tasks: TaskStore) -> None:
    """Opens a new task for votes, or ends it when the chain has moved on.

    Raises:
        DependencyError: also operator_set_inconsistent, when the reads belong to different chains (a reorganisation).
    """
    state = await chain.manager.batches_state(task.batch_id)
    if state.task_block != task.task_block:
        log.info("task_ended", **task.names(), reason=SUPERSEDED)
        await tasks.move(task, "expired", SUPERSEDED)
        return
    block = task.task_block
    operators = await chain.registry.operators(block=block)
    index = await chain.registry.snapshot_index_at(block, block=block)
    _check(operators, await chain.registry.snapshot(index, block=block))
    await _check_block(task, chain)
    await tasks.open(task, operators, index, await chain.manager.last_response_block(task.batch_id))
    log.info("task_open", **task.names(), operators=len(operators), snapshot_index=index)


async def _check_block(task: Task, chain: Chain) -> None:
    """What was read by the block's number must be of the block whose event made the task."""
    found = await chain.client.get_block(task.task_block)
    if found is None or found.hash != task.task_block_hash:
        raise DependencyError(
            OPERATOR_SET_INCONSISTENT,
            f"block {task.task_block} is not the one of the task: a reorganisation, or a node that is behind",
        )


def _check(operators: Sequence[Operator], snapshot: Snapshot) -> None:
    total = sum(op.stake for op in operators)
    if (len(operators), total) != (snapshot.operator_count, snapshot.total_stake):
        raise DependencyError(
            OPERATOR_SET_INCONSISTENT,
            f"{len(operators)} operators with stake {total}, the snapshot says {snapshot}",
        )
    # The hash of a G1 point is made as the id of an operator with that key is.
    if (
        operators
        and bls.operator_id(bls.aggregate_g1([op.g1 for op in operators])) != snapshot.aggregate_key_hash
    ):
        raise DependencyError(OPERATOR_SET_INCONSISTENT, "the keys do not add up to the snapshot's key")
