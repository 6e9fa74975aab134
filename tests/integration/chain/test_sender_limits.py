"""Requests that are worth only so much: what they offer, when they are given up, and what waits behind them."""

from __future__ import annotations

import asyncio

import pytest

from aligned.chain.client import ChainClient
from aligned.chain.errors import TxCancelled
from aligned.chain.fees import Caps
from aligned.chain.journal_rows import PendingStatus
from aligned.core.errors import DependencyError
from aligned.storage.postgres import Database
from tests.integration.chain.code import COUNTER, TARGET, count, place
from tests.integration.chain.sending import WORD, Make, attempts_of, foreign, pending, until, until_pending
from tests.integration.node import Anvil

GWEI = 10**9
WORTH_WEI = 20 * GWEI
CAPS = Caps(500 * GWEI)


def ask(node: Anvil, gwei: int) -> None:
    """What the chain asks from the next block on."""
    node.rpc("anvil_setNextBlockBaseFeePerGas", hex(gwei * GWEI))
    node.mine()


async def until_cancel(database: Database, node: Anvil, key: str) -> None:
    """Waits until the newest form of a request is a cancel that the node has."""

    async def reached() -> bool:
        last = (await attempts_of(database, key))[-1]
        return (
            bool(last["is_cancel"])
            and node.rpc("eth_getTransactionByHash", "0x" + last["tx_hash"].hex()) is not None
        )

    await until(reached)


async def test_send__market_above_the_limit__nothing_is_sent_and_the_key_is_free(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    ask(manual, 100)
    sender = make(manual, account, caps=CAPS)
    with pytest.raises(DependencyError, match="fees_above_cap"):
        await sender.send("k", TARGET, WORD, max_fee_wei=WORTH_WEI)
    assert await attempts_of(database, "k") == []
    sending = asyncio.create_task(sender.send("k", TARGET, WORD + WORD, max_fee_wei=1_000 * GWEI))
    await until_pending(manual)
    manual.mine()
    assert (await sending).state == "mined"


async def test_send__limit__no_form_offers_more(manual: Anvil, make: Make, database: Database) -> None:
    place(manual, COUNTER)
    sender = make(manual, manual.new_account(), caps=CAPS, bump_after_s=0.02)
    sending = asyncio.create_task(sender.send("k", TARGET, WORD, max_fee_wei=WORTH_WEI))

    async def near_the_limit() -> bool:
        rows = await attempts_of(database, "k")
        return bool(rows) and rows[-1]["max_fee_wei"] * 9 // 8 + 1 > WORTH_WEI

    await until(near_the_limit)
    before = len(await attempts_of(database, "k"))
    await asyncio.sleep(0.3)
    rows = await attempts_of(database, "k")
    assert len(rows) == before
    assert max(row["max_fee_wei"] for row in rows) <= WORTH_WEI
    manual.mine()
    assert (await sending).state == "mined"


async def test_send__market_rises_while_pending__cancelled_and_the_queue_goes_on(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    sender = make(manual, account, caps=CAPS, bump_after_s=0.05, confirmations=2)
    bounded = asyncio.create_task(sender.send("k", TARGET, WORD, max_fee_wei=WORTH_WEI, give_up_after_s=0.2))
    await until_pending(manual)
    behind = asyncio.create_task(sender.send("behind", TARGET, WORD, gas=100_000))
    await until_pending(manual, 2)
    ask(manual, 100)
    await until_cancel(database, manual, "k")

    async def settled() -> bool:
        manual.rpc("anvil_setNextBlockBaseFeePerGas", hex(100 * GWEI))
        manual.mine()
        return bounded.done() and behind.done()

    await until(settled)
    with pytest.raises(TxCancelled) as caught:
        await bounded
    assert (await behind).state == "mined"
    assert (count(manual), manual.nonce(account.address)) == (1, 2)
    assert (caught.value.code, caught.value.key) == ("tx_cancelled_fees", "k")
    assert caught.value.tx_hash in {row["tx_hash"] for row in await released_attempts(database, "k")}
    assert 0 < caught.value.fee_wei <= 21_000 * CAPS.max_fee_wei


async def released_attempts(database: Database, key: str) -> list[dict[str, object]]:
    """Forms of a cancelled request, under whichever name it has now."""
    async with database.transaction() as conn:
        found = await conn.execute("SELECT * FROM tx_attempt WHERE key LIKE %s AND is_cancel", (key + "%",))
        return await found.fetchall()


async def test_send__cancelled_key__takes_a_new_wish(manual: Anvil, make: Make, database: Database) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    sender = make(manual, account, caps=CAPS, bump_after_s=0.05)
    for turn in (1, 2):
        manual.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        manual.mine()
        sending = asyncio.create_task(
            sender.send("k", TARGET, WORD * turn, max_fee_wei=WORTH_WEI, give_up_after_s=0.1)
        )
        await until_pending(manual)
        ask(manual, 100)
        await until_cancel(database, manual, "k")
        manual.mine()
        with pytest.raises(TxCancelled):
            await sending
    manual.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    manual.mine()
    sending = asyncio.create_task(sender.send("k", TARGET, WORD * 3, max_fee_wei=WORTH_WEI))
    await until_pending(manual)
    manual.mine()
    assert (await sending).state == "mined"
    assert (count(manual), manual.nonce(account.address)) == (1, 3)


async def test_send__original_is_mined_instead_of_its_cancel__is_mined(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    sender = make(manual, account, caps=CAPS, bump_after_s=0.05)
    sending = asyncio.create_task(sender.send("k", TARGET, WORD, max_fee_wei=WORTH_WEI, give_up_after_s=0.1))
    await until_pending(manual)
    original = (await attempts_of(database, "k"))[0]
    ask(manual, 100)
    await until_cancel(database, manual, "k")
    # Another miner never saw the cancel.
    while pending(manual):
        manual.rpc("anvil_dropAllTransactions")
        manual.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        manual.rpc("eth_sendRawTransaction", "0x" + original["raw"].hex())
        manual.mine()
    assert (await sending).state == "mined"
    assert (count(manual), manual.nonce(account.address)) == (1, 1)


async def test_send__cancel_is_reorganised_away__is_sent_again(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    sender = make(manual, account, caps=CAPS, bump_after_s=0.05, confirmations=3)
    sending = asyncio.create_task(sender.send("k", TARGET, WORD, max_fee_wei=WORTH_WEI, give_up_after_s=0.1))
    await until_pending(manual)
    ask(manual, 100)
    await until_cancel(database, manual, "k")
    snapshot = manual.rpc("evm_snapshot")
    manual.mine()
    assert manual.nonce(account.address) == 1
    manual.rpc("evm_revert", snapshot)
    manual.rpc("anvil_dropAllTransactions")
    assert manual.nonce(account.address) == 0
    await until_cancel(database, manual, "k")
    await until_pending(manual)
    manual.mine(4)
    with pytest.raises(TxCancelled):
        await sending
    assert (count(manual), manual.nonce(account.address)) == (0, 1)


async def test_send__abandoned_bounded_request_below__is_cancelled_by_whoever_waits_behind_it(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    with pytest.raises(DependencyError, match="tx_timeout"):
        await make(manual, account).send(
            "abandoned", TARGET, WORD, max_fee_wei=WORTH_WEI, give_up_after_s=0.1, timeout_s=1
        )
    ask(manual, 100)
    sender = make(manual, account, caps=CAPS, bump_after_s=0.05)
    sending = asyncio.create_task(sender.send("k", TARGET, WORD))
    await until_cancel(database, manual, "abandoned")
    await until_pending(manual, 2)

    async def mined() -> bool:
        manual.mine()
        return sending.done()

    await until(mined)
    assert (await sending).state == "mined"
    assert (count(manual), manual.nonce(account.address)) == (1, 2)


async def test_send__nonce_lost_while_too_dear__is_cancelled_without_a_transaction(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    sender = make(manual, account, caps=CAPS)
    sending = asyncio.create_task(sender.send("k", TARGET, WORD, max_fee_wei=WORTH_WEI, give_up_after_s=60))
    await until_pending(manual)
    foreign(manual, account, nonce=0)
    ask(manual, 100)
    with pytest.raises(TxCancelled) as caught:
        await sending
    assert (caught.value.tx_hash, caught.value.fee_wei) == (None, 0)
    assert (count(manual), manual.nonce(account.address)) == (0, 1)


async def test_send__limit_raised_by_the_same_key__is_used_from_then_on(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    sender = make(manual, account, caps=CAPS, bump_after_s=0.05)
    with pytest.raises(DependencyError, match="tx_timeout"):
        await sender.send("k", TARGET, WORD, max_fee_wei=WORTH_WEI, timeout_s=1)
    sending = asyncio.create_task(sender.send("k", TARGET, WORD, max_fee_wei=5 * WORTH_WEI))

    async def above() -> bool:
        return max(row["max_fee_wei"] for row in await attempts_of(database, "k")) > WORTH_WEI

    await until(above)
    manual.mine()
    assert (await sending).state == "mined"
    assert count(manual) == 1
    async with ChainClient([manual.url], manual.chain_id) as client:
        assert await client.nonce(sender.address) == 1


async def test_status__pending_and_settled__says_age_fee_and_number(
    manual: Anvil, make: Make, database: Database
) -> None:
    account = manual.new_account(ether=3)
    sender = make(manual, account)
    assert await sender.status() == PendingStatus(0, 0.0, 0)
    assert await sender.balance_wei() == 3 * 10**18
    sending = [asyncio.create_task(sender.send(key, TARGET, gas=100_000)) for key in ("a", "b")]
    await until_pending(manual, 2)
    status = await sender.status()
    offered = [(await attempts_of(database, key))[-1]["max_fee_wei"] for key in ("a", "b")]
    assert (status.pending, status.max_fee_wei) == (2, max(offered))
    assert status.oldest_age_s > 0
    manual.mine()
    await asyncio.gather(*sending)
    assert (await sender.status()).pending == 0
    assert await sender.balance_wei() < 3 * 10**18
