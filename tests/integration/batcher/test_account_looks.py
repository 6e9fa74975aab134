"""How often the chain is asked about accounts, and that nobody is turned away by an old answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from aligned.batcher.accounts import AccountBook
from aligned.batcher.admission import Admitted
from aligned.batcher.model import Account
from aligned.core.errors import AlignedError, DependencyError
from aligned.storage.postgres import Database
from tests.integration.batcher.bench import Bench
from tests.integration.batcher.clients import User
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.test_admission_interrupted import Process
from tests.outside.awaits import Run, at_each_await, cancel_at


class CountingChain(FakeChain):
    """Counts looks at accounts, and answers them only while it may."""

    def __init__(self) -> None:
        super().__init__()
        self.mines_itself = False
        self.looks: Counter[bytes] = Counter()
        self.answers = asyncio.Event()
        self.answers.set()
        self.fault: Exception | None = None

    async def account(self, address: bytes) -> Account:
        self.looks[address] += 1
        account = self.accounts[address]
        await self.answers.wait()
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        return account


async def _begun() -> None:
    """Lets tasks come to their first question, before which they wait for nothing."""
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.fixture
def chain() -> CountingChain:
    return CountingChain()


@pytest.fixture
async def process(db: Database, chain: CountingChain) -> Process:
    process = Process(db, chain)
    await process.market.refresh()
    return process


async def test_submissions__hundred_of_one_sender_in_one_block__account_is_asked_for_once(
    process: Process, chain: CountingChain, user: User
) -> None:
    admitted = [await process.admit(user, salt, nonce=salt) for salt in range(100)]
    assert len({each.stored.nonce for each in admitted}) == 100
    assert chain.looks[user.address] == 1


async def test_submissions__many_at_once__share_the_question(
    process: Process, chain: CountingChain, user: User
) -> None:
    """All of one nonce: one gets it, the others are refused by what the chain says after they asked."""
    chain.answers.clear()
    calls = [asyncio.create_task(process.admit(user, salt)) for salt in range(20)]
    await _begun()
    assert chain.looks[user.address] == 1
    chain.answers.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, Admitted) for result in results) == 1
    assert {result.code for result in results if isinstance(result, AlignedError)} == {
        "underpriced_replacement"
    }
    assert chain.looks[user.address] <= 2


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ({"balance_wei": 0}, "insufficient_balance"),
        ({"unlock_time_s": 7}, "funds_unlocked"),
        ({"fee_cap_wei": 1}, "fee_too_low"),
        ({"nonce": 3}, "nonce_used"),
    ],
    ids=["balance", "lock", "cap", "nonce"],
)
async def test_submission__refused_by_what_is_known__asked_again_before_it_is_said(
    process: Process, chain: CountingChain, user: User, before: dict[str, int], code: str
) -> None:
    good = chain.accounts[user.address]
    chain.accounts[user.address] = replace(good, **before)
    with pytest.raises(AlignedError) as caught:
        await process.admit(user, 1)
    assert caught.value.code == code
    # A fresh answer is not asked for twice.
    assert chain.looks[user.address] == 1
    chain.accounts[user.address] = good
    assert (await process.admit(user, 1)).stored.state == "queued"
    assert chain.looks[user.address] == 2


async def test_build__would_drop_by_what_is_known__asked_again_and_kept(
    db: Database, chain: CountingChain, user: User, tmp_path: Path
) -> None:
    bench = Bench(db, chain, tmp_path)
    await bench.put(user, 0)
    await bench.market.refresh()
    book = bench.builder._accounts
    good = chain.accounts[user.address]
    chain.accounts[user.address] = replace(good, balance_wei=0)
    await book.look(user.address)
    chain.accounts[user.address] = good
    await bench.post()
    assert await bench.rows(user) == {0: "posted"}


async def test_look__another_block__asked_again(chain: CountingChain, user: User) -> None:
    book = AccountBook(chain, lambda: chain.prices.block)
    for looks in (1, 1, 1):
        await book.look(user.address)
        assert chain.looks[user.address] == looks
    chain.mine()
    chain.change(user.address, nonce=5)
    assert (await book.look(user.address)).account.nonce == 5


async def test_look__many_accounts__bounded(chain: CountingChain) -> None:
    book = AccountBook(chain, lambda: 1, max_known=10)
    for number in range(100):
        await book.look(number.to_bytes(20, "big"))
    assert len(book._known) == 10
    assert book._reads == {}


async def test_fresh__asked_while_a_question_is_on_its_way__gets_the_answer_to_a_later_one(
    chain: CountingChain, user: User
) -> None:
    book = AccountBook(chain, lambda: 1)
    chain.answers.clear()
    first = asyncio.create_task(book.fresh(user.address))
    await _begun()
    assert chain.looks[user.address] == 1
    chain.change(user.address, nonce=5)
    later = [asyncio.create_task(book.fresh(user.address)) for _ in range(50)]
    await asyncio.sleep(0)
    chain.answers.set()
    assert (await first).nonce == 0
    assert {account.nonce for account in await asyncio.gather(*later)} == {5}
    assert chain.looks[user.address] == 2


async def test_fresh__fails__everybody_who_asked_hears_it_and_the_next_question_is_answered(
    chain: CountingChain, user: User
) -> None:
    book = AccountBook(chain, lambda: 1)
    chain.fault = DependencyError("chain_unavailable", "test")
    results = await asyncio.gather(*(book.look(user.address) for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [DependencyError] * 5
    chain.fault = None
    assert (await book.look(user.address)).account == chain.accounts[user.address]
    assert book._reads == {}


async def test_look__cancelled_at_each_await__others_are_answered_and_no_question_is_left(
    chain: CountingChain, user: User
) -> None:
    async def one(number: int) -> Run:
        book = AccountBook(chain, lambda: 1)
        others = [asyncio.create_task(book.look(user.address)) for _ in range(3)]
        run = await cancel_at(lambda: book.look(user.address), number)
        assert {(await other).account for other in others} == {chain.accounts[user.address]}
        await asyncio.sleep(0)
        assert book._reads == {}
        return run

    async def check(_number: int, run: Run) -> None:
        assert run.error is None

    assert await at_each_await(one, check) >= 1
