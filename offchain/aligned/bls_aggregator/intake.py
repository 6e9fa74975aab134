"""Checks votes. A vote is authenticated by its own BLS signature: who sends it does not matter."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from aligned.bls_aggregator.ballots import VOTING_STATES, Ballot, BallotBox, Statement
from aligned.core import bls
from aligned.core.batch import batch_id
from aligned.core.eip712 import refusal_digest, task_digest
from aligned.core.errors import INVALID_SIGNATURE, ConflictError, ProtocolError
from aligned.wire.aggregator import (
    CONFLICTING_VOTE,
    TASK_CLOSED,
    UNKNOWN_OPERATOR,
    UNKNOWN_TASK,
    WRONG_TASK_BLOCK,
    RefusalMessage,
    SignatureMessage,
    hex_of,
)

log = structlog.get_logger(__name__)

ACCEPTED: Final = "accepted"
ALREADY_SIGNED: Final = "already_signed"
_POLL_S: Final = 0.2
_MAX_WAITING: Final = 128
_PARALLEL_CHECKS: Final = 2


@dataclass(frozen=True, slots=True)
class Domain:
    """What votes are bound to: chain id and service manager (20 bytes)."""

    chain_id: int
    service_manager: bytes


class Intake:
    """Decides on votes.

    Args:
        unknown_wait_s: how long a vote waits for a task that the chain has not shown yet.
    """

    def __init__(self, ballots: BallotBox, domain: Domain, unknown_wait_s: float) -> None:
        self._ballots = ballots
        self._domain = domain
        self._unknown_wait_s = unknown_wait_s
        self._waiting = 0
        self._checks = asyncio.Semaphore(_PARALLEL_CHECKS)

    async def accept(self, vote: SignatureMessage | RefusalMessage) -> str:
        """Stores a valid vote; "accepted", or "already_signed" for one that is stored already.

        Raises:
            ProtocolError: unknown_task, unknown_operator, invalid_signature.
            ConflictError: wrong_task_block, task_closed, conflicting_vote.
        """
        identity = batch_id(vote.batch_root, vote.sender)
        statement = _statement(vote)
        ballot = await self._find(identity, vote)
        if self._is_stored(ballot, statement):
            return ALREADY_SIGNED
        await self._check_signature(identity, vote, ballot)
        if await self._ballots.add(identity, vote.task_block, vote.operator_id, statement):
            log.info(
                "vote_accepted",
                batch_id=hex_of(identity),
                operator=hex_of(vote.operator_id),
                reason=statement.reason,
            )
            return ACCEPTED
        # Somebody was faster: the same vote on another connection, or the end of the task.
        if self._is_stored(await self._find(identity, vote), statement):
            return ALREADY_SIGNED
        raise ConflictError(TASK_CLOSED, "the task closed meanwhile", status=409)

    async def _find(self, identity: bytes, vote: SignatureMessage | RefusalMessage) -> Ballot:
        ballot = await self._ballots.find(identity, vote.task_block, vote.operator_id)
        if ballot is None:
            await self._refuse_other_block(identity, vote.task_block)
            ballot = await self._wait_for(identity, vote)
        return ballot

    async def _refuse_other_block(self, identity: bytes, task_block: int) -> None:
        other = await self._ballots.other_block(identity, task_block)
        if other is not None:
            message = f"the task of this batch was created in block {other}, got {task_block}"
            raise ConflictError(WRONG_TASK_BLOCK, message, status=409, retry_after_s=2)

    async def _wait_for(self, identity: bytes, vote: SignatureMessage | RefusalMessage) -> Ballot:
        unknown = ProtocolError(UNKNOWN_TASK, "no such task yet", status=404, retry_after_s=1)
        if self._waiting >= _MAX_WAITING:
            raise unknown
        self._waiting += 1
        try:
            for _ in range(int(self._unknown_wait_s / _POLL_S)):
                await asyncio.sleep(_POLL_S)
                ballot = await self._ballots.find(identity, vote.task_block, vote.operator_id)
                if ballot is not None:
                    return ballot
        finally:
            self._waiting -= 1
        raise unknown

    @staticmethod
    def _is_stored(ballot: Ballot, statement: Statement) -> bool:
        """Whether just this vote is stored; raises when it can no longer be."""
        if ballot.key_g2 is None:
            raise ProtocolError(UNKNOWN_OPERATOR, "not in the operator set at the task's block", status=403)
        earlier = ballot.earlier
        if earlier is not None and earlier.evidence != statement.evidence:
            raise ConflictError(CONFLICTING_VOTE, "this operator has voted otherwise on the task", status=409)
        if earlier is not None and earlier.signature != statement.signature:
            # BLS signatures are unique, so this one cannot be valid.
            raise ProtocolError(INVALID_SIGNATURE, "not the operator's signature over this vote")
        if earlier is None and ballot.state not in VOTING_STATES:
            raise ConflictError(TASK_CLOSED, f"the task is {ballot.state}", status=409)
        return earlier is not None

    async def _check_signature(
        self, identity: bytes, vote: SignatureMessage | RefusalMessage, ballot: Ballot
    ) -> None:
        digest = self._digest(identity, vote)
        assert ballot.key_g2 is not None
        async with self._checks:
            valid = await asyncio.to_thread(bls.verify, bls.G2(ballot.key_g2), digest, bls.G1(vote.signature))
        if not valid:
            raise ProtocolError(INVALID_SIGNATURE, "not the operator's signature over this vote")

    def _digest(self, identity: bytes, vote: SignatureMessage | RefusalMessage) -> bytes:
        bound_to = (self._domain.chain_id, self._domain.service_manager)
        if isinstance(vote, SignatureMessage):
            return task_digest(identity, vote.task_block, *bound_to)
        return refusal_digest(identity, vote.task_block, vote.leaf_index, vote.leaf, vote.reason, *bound_to)


def _statement(vote: SignatureMessage | RefusalMessage) -> Statement:
    if isinstance(vote, SignatureMessage):
        return Statement(vote.signature)
    return Statement(vote.signature, vote.leaf_index, vote.leaf, vote.reason)
