"""What anybody may ask about an address: its next nonce, and what its last queued proof offered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aligned.batcher import queue
from aligned.batcher.accounts import AccountBook
from aligned.batcher.entry import Entry
from aligned.clients import Client
from aligned.core.errors import TIMEOUT, AlignedError, DependencyError
from aligned.storage.postgres import Database
from aligned.wire.batcher import Question, Topic
from aligned.wire.reference_replies import encode_answer, encode_no_answer

# Shorter than what a load balancer waits for, and than the limit on the whole exchange.
ANSWER_TIMEOUT_S = 4.0


@dataclass(frozen=True, slots=True)
class NextNonce:
    """The next nonce of an account.

    Attributes:
        queued: with accepted proofs counted; what the next submission must carry.
        on_chain: what the payment contract says.
    """

    queued: int
    on_chain: int


class Questions:
    """Answers from chain and database."""

    def __init__(self, db: Database, accounts: AccountBook, entry: Entry) -> None:
        self._db = db
        self._accounts = accounts
        self._entry = entry

    async def next_nonce(self, address: bytes, client: Client) -> NextNonce:
        """Raises DependencyError: rate_limited, or chain or database do not answer."""
        self._entry.question(client)
        account = (await self._accounts.look(address)).account
        async with self._db.transaction() as conn:
            return NextNonce(max(account.nonce, await queue.next_nonce(conn, address)), account.nonce)

    async def answer(self, question: Question, client: Client) -> bytes:
        """The frame for a later client of the reference."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return encode_answer(question.topic, await self._value(question, client))
        except TimeoutError:
            error: AlignedError = DependencyError(TIMEOUT, "chain or database do not answer in time")
        except AlignedError as caught:
            error = caught
        return encode_no_answer(question.topic, error)

    async def _value(self, question: Question, client: Client) -> int | None:
        if question.topic is Topic.NONCE:
            return (await self.next_nonce(question.address, client)).queued
        self._entry.question(client)
        async with self._db.transaction() as conn:
            return await queue.last_queued_fee(conn, question.address)
