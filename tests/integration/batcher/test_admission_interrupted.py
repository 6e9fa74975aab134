"""A submission on its way in is broken off, or another process acts, at each of its awaits in turn."""

from __future__ import annotations

from itertools import count

import pytest
from eth_account import Account
from psycopg.errors import UniqueViolation

from aligned.batcher.accounts import AccountBook
from aligned.batcher.admission import Admission, Admitted, Policy, Ticket
from aligned.batcher.entry import Entry
from aligned.batcher.examiner import Examiner
from aligned.batcher.market import MarketFeed
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.receipts import ReceiptSigner
from aligned.batcher.rules import QueueLimits, QueueTotals
from aligned.batcher.watch import PostingWatch
from aligned.clients import Client
from aligned.core.errors import AlignedError
from aligned.core.types import VerificationData
from aligned.settings import BatcherSettings
from aligned.storage.postgres import Database
from aligned.verifiers.base import Verdict
from aligned.verifiers.pool import VerifierPool
from aligned.wire.batcher import Submission, decode_client_message
from aligned.wire.cbor import encode
from tests.integration.batcher.clients import CHAIN_ID, MAX_FEE_WEI, PAYMENT_SERVICE, User
from tests.integration.batcher.conftest import BATCHER_KEY
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.proofs import small
from tests.outside.awaits import Run, act_at, at_each_await, cancel_at

KEYS = count(1_000)
ROOMY = QueueTotals(1_000, 10**9)


class ValidPool(VerifierPool):
    """Finds everything valid; what matters here is when."""

    async def verify(self, data: VerificationData, lane: object = None, proof_file: object = None) -> Verdict:
        return Verdict(True, "ok")


class Process:
    """The admission of one batcher process."""

    def __init__(self, db: Database, chain: FakeChain) -> None:
        metrics = BatcherMetrics()
        self.entry = Entry(BatcherSettings.model_validate({"stranger_message_burst": 10_000}))
        self.market = MarketFeed(chain, 600.0)
        self.admission = Admission(
            db=db,
            accounts=AccountBook(chain, self.market.latest_block),
            market=self.market,
            examiner=Examiner(ValidPool(1), self.entry, metrics),
            signer=ReceiptSigner(Account.from_key(BATCHER_KEY), CHAIN_ID, PAYMENT_SERVICE),
            policy=Policy(
                CHAIN_ID, PAYMENT_SERVICE, 1 << 20, 32, 600, frozenset(), QueueLimits(ROOMY, ROOMY)
            ),
            entry=self.entry,
            watch=PostingWatch(900.0),
        )

    async def admit(self, user: User, salt: int, max_fee_wei: int = MAX_FEE_WEI, nonce: int = 0) -> Admitted:
        message = decode_client_message(
            encode(user.message(small(salt), nonce, max_fee_wei=max_fee_wei)), 1 << 20
        )
        assert isinstance(message, Submission)
        return await self.admission.admit(Ticket(message, Client("192.0.2.1")))

    def is_idle(self) -> bool:
        """Whether nothing is reserved and nobody waits for a verifier."""
        return not self.admission._reservations._by_sender and len(self.entry._turns) == 0


@pytest.fixture
async def processes(db: Database, chain: FakeChain) -> tuple[Process, Process]:
    both = Process(db, chain), Process(db, chain)
    for process in both:
        await process.market.refresh()
    return both


async def rows(db: Database, user: User) -> list[tuple[str, bytes]]:
    async with db.transaction() as conn:
        found = await (
            await conn.execute(
                "SELECT state, leaf FROM submission WHERE sender = %s ORDER BY id", (user.address,)
            )
        ).fetchall()
    return [(row["state"], row["leaf"]) for row in found]


async def locks(db: Database) -> int:
    async with db.transaction() as conn:
        row = await (
            await conn.execute("SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory'")
        ).fetchone()
    assert row is not None
    return int(row["n"])


def funded(chain: FakeChain) -> User:
    user = User(next(KEYS))
    chain.fund(user.address)
    return user


async def test_submission__cancelled_at_each_await__nothing_held_and_the_same_message_is_taken(
    db: Database, chain: FakeChain, processes: tuple[Process, Process]
) -> None:
    process, _ = processes
    user = funded(chain)

    async def one(number: int) -> Run:
        nonlocal user
        user = funded(chain)
        return await cancel_at(lambda: process.admit(user, number), number)

    async def check(number: int, run: Run) -> None:
        assert run.error is None
        assert process.is_idle()
        assert await locks(db) == 0
        before = await rows(db, user)
        assert len(before) <= 1
        assert before or not isinstance(run.result, Admitted), "a receipt for what is not stored"
        again = await process.admit(user, number)
        assert [state for state, _leaf in await rows(db, user)] == ["queued"]
        if isinstance(run.result, Admitted):
            assert again.stored.receipt_signature == run.result.stored.receipt_signature

    assert await at_each_await(one, check) > 5


async def test_submission__another_process_takes_the_nonce_at_each_await__one_of_them_has_it(
    db: Database, chain: FakeChain, processes: tuple[Process, Process]
) -> None:
    """Without the lock on the sender both would find the nonce free, and one end in a fault of the database."""
    process, other = processes
    user = funded(chain)
    rival: list[Admitted | AlignedError] = []

    async def take_it(number: int) -> None:
        try:
            rival.append(await other.admit(user, 100_000 + number))
        except AlignedError as error:
            rival.append(error)

    async def one(number: int) -> Run:
        nonlocal user
        user = funded(chain)
        rival.clear()
        return await act_at(lambda: process.admit(user, number), number, lambda: take_it(number))

    async def check(number: int, run: Run) -> None:
        assert not isinstance(run.error, UniqueViolation), f"await {number}"
        assert process.is_idle()
        assert other.is_idle()
        live = [leaf for state, leaf in await rows(db, user) if state == "queued"]
        assert len(live) == 1
        winners = [each for each in (run.result, *rival) if isinstance(each, Admitted)]
        assert [won.stored.leaf for won in winners] == live
        losers = [each for each in (run.error, *rival) if isinstance(each, AlignedError)]
        assert {error.code for error in losers} <= {"nonce_used", "underpriced_replacement"}

    assert await at_each_await(one, check) > 5
