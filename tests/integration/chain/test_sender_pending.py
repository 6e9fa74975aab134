"""Transactions that are not mined, lose their nonce, or vanish with their block."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from aligned.chain.client import ChainClient
from aligned.chain.fees import Caps
from aligned.chain.types import ChainReceipt
from aligned.core.errors import DependencyError, InvariantError
from aligned.storage.postgres import Database
from tests.integration.chain.code import COUNTER, TARGET, count, place
from tests.integration.chain.sending import (
    WORD,
    Make,
    attempts_of,
    foreign,
    until,
    until_attempts,
    until_pending,
)
from tests.integration.node import Anvil


async def test_send__not_mined__both_fees_rise_by_an_eighth_and_one_form_counts(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    sending = asyncio.create_task(make(manual, account, bump_after_s=0.05).send("k", TARGET, WORD))
    await until_attempts(database, "k", 4)
    manual.mine()
    receipt = await sending
    attempts = await attempts_of(database, "k")
    for old, new in pairwise(attempts):
        assert new["nonce"] == old["nonce"] == 0
        assert new["max_fee_wei"] * 8 >= old["max_fee_wei"] * 9
        assert new["priority_fee_wei"] * 8 >= old["priority_fee_wei"] * 9
    assert receipt.tx_hash in {row["tx_hash"] for row in attempts}
    manual.mine(3)
    assert (count(manual), manual.nonce(account.address)) == (1, 1)


async def test_send__fee_cap__is_never_exceeded(manual: Anvil, make: Make, database: Database) -> None:
    cap_wei = 4 * 10**9
    sender = make(manual, manual.new_account(), bump_after_s=0.05, caps=Caps(cap_wei))
    sending = asyncio.create_task(sender.send("k", TARGET, b""))
    await until_attempts(database, "k", 2)
    await asyncio.sleep(0.3)
    manual.mine()
    await sending
    assert max(row["max_fee_wei"] for row in await attempts_of(database, "k")) <= cap_wei


async def test_send__transaction_dropped_by_the_node__is_sent_again(manual: Anvil, make: Make) -> None:
    place(manual, COUNTER)
    sending = asyncio.create_task(make(manual, manual.new_account()).send("k", TARGET, WORD))
    await until_pending(manual)
    manual.rpc("anvil_dropAllTransactions")
    await until_pending(manual)
    manual.mine()
    assert (await sending).state == "mined"
    assert count(manual) == 1


async def test_send__foreign_transaction_takes_the_nonce__moves_on_once(manual: Anvil, make: Make) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    sending = asyncio.create_task(make(manual, account, confirmations=2).send("k", TARGET, WORD))
    await until_pending(manual)
    foreign(manual, account, nonce=0)
    manual.mine(2)
    await until_pending(manual)
    manual.mine(2)
    assert (await sending).state == "mined"
    assert (count(manual), manual.nonce(account.address)) == (1, 2)


async def test_send__nonce_lost_and_done__is_superseded(manual: Anvil, make: Make) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    is_done = False

    async def done() -> bool:
        return is_done

    sending = asyncio.create_task(make(manual, account).send("k", TARGET, WORD, done=done))
    await until_pending(manual)
    foreign(manual, account, nonce=0)
    is_done = True
    manual.mine()
    receipt = await sending
    assert (receipt.state, receipt.tx, count(manual)) == ("superseded", None, 0)


async def test_send__foreign_transaction_below_vanishes__gap_is_filled(manual: Anvil, make: Make) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    vanishing = foreign(manual, account, nonce=0)
    sending = asyncio.create_task(make(manual, account, bump_after_s=0.2).send("k", TARGET, WORD))
    await until_pending(manual, 2)
    manual.rpc("anvil_dropTransaction", vanishing)

    async def mined() -> bool:
        manual.mine()
        return sending.done()

    await until(mined)
    assert (await sending).state == "mined"
    assert (count(manual), manual.nonce(account.address)) == (1, 2)


async def test_send__abandoned_transaction_below__is_carried_along(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    with pytest.raises(DependencyError, match="tx_timeout"):
        await make(manual, account).send("abandoned", TARGET, WORD, timeout_s=0.5)
    manual.rpc("anvil_dropAllTransactions")
    sending = asyncio.create_task(make(manual, account, bump_after_s=0.1).send("k", TARGET, WORD))
    await until_attempts(database, "abandoned", 2)
    await until_pending(manual, 2)
    manual.mine()
    assert (await sending).state == "mined"
    assert (count(manual), manual.nonce(account.address)) == (2, 2)


async def test_send__confirmations__waits_for_them(manual: Anvil, make: Make) -> None:
    sending = asyncio.create_task(make(manual, manual.new_account(), confirmations=3).send("k", TARGET))
    await until_pending(manual)
    manual.mine(2)
    await asyncio.sleep(0.3)
    assert not sending.done()
    manual.mine(1)
    assert (await sending).block_number == 1


async def test_send__reorganised_away_while_waiting__is_sent_again(manual: Anvil, make: Make) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    snapshot = manual.rpc("evm_snapshot")
    sending = asyncio.create_task(make(manual, account, confirmations=3).send("k", TARGET, WORD))
    await until_pending(manual)
    manual.mine(1)
    assert count(manual) == 1
    manual.rpc("evm_revert", snapshot)
    manual.rpc("anvil_dropAllTransactions")
    assert count(manual) == 0
    await until_pending(manual)
    manual.mine(3)
    assert (await sending).state == "mined"
    assert count(manual) == 1


async def test_send__reorganised_away_after_the_receipt__same_key_sends_again(
    manual: Anvil, make: Make
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    sender = make(manual, account)
    snapshot = manual.rpc("evm_snapshot")
    sending = asyncio.create_task(sender.send("k", TARGET, WORD))
    await until_pending(manual)
    manual.mine()
    first = await sending
    manual.rpc("evm_revert", snapshot)
    manual.rpc("anvil_dropAllTransactions")
    manual.mine()
    sending = asyncio.create_task(sender.send("k", TARGET, WORD))
    await until_pending(manual)
    manual.mine()
    second = await sending
    assert (first.tx_hash, first.block_number) != (None, second.block_number)
    assert second.tx_hash == first.tx_hash
    assert (count(manual), manual.nonce(account.address)) == (1, 1)


async def test_send__node_away_for_a_while__goes_on(
    anvil: Anvil, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(anvil, COUNTER)
    failures = iter([DependencyError("chain_unavailable", "down")] * 3)
    real = ChainClient.get_receipt

    async def flaky(client: ChainClient, tx_hash: bytes) -> ChainReceipt | None:
        for error in failures:
            raise error
        return await real(client, tx_hash)

    monkeypatch.setattr(ChainClient, "get_receipt", flaky)
    assert (await make(anvil, anvil.new_account()).send("k", TARGET, WORD)).state == "mined"
    assert count(anvil) == 1


async def test_send__devnet_started_anew_under_an_old_database__is_refused(anvil: Anvil, make: Make) -> None:
    account = anvil.new_account()
    await make(anvil, account).send("k", TARGET)
    with Anvil("--timestamp", "1700000000") as another:
        with pytest.raises(InvariantError, match="database_of_another_chain"):
            await make(another, account).send("k", TARGET)
        assert another.nonce(account.address) == 0
