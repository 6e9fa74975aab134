"""The sender on a real node: one wish, one transaction; what refuses it, and what makes it needless."""

from __future__ import annotations

import asyncio

import pytest

from aligned.chain.abi import contract_abi
from aligned.chain.errors import TxReverted
from aligned.core.errors import ConflictError, DependencyError, PaymentError
from aligned.storage.postgres import Database
from tests.integration.chain.code import COUNTER, REVERTER, TARGET, TRAP, count, place, set_slot
from tests.integration.chain.sending import WORD, Make, attempts_of, until_attempts, until_pending
from tests.integration.node import Anvil

NOTHING_TO_RECLAIM = next(
    error
    for error in contract_abi("AlignedLayerServiceManager").errors.values()
    if error.name == "NothingToReclaim"
)


async def test_send__same_key_again__same_receipt_and_one_transaction(anvil: Anvil, make: Make) -> None:
    place(anvil, COUNTER)
    account = anvil.new_account()
    sender = make(anvil, account)
    first = await sender.send("k", TARGET, WORD)
    assert (first.state, first.logs[0].topics, first.logs[0].data) == ("mined", [WORD], WORD)
    assert await sender.send("k", TARGET, WORD) == first
    assert await make(anvil, account).send("k", TARGET, WORD) == first
    assert (count(anvil), anvil.nonce(account.address)) == (1, 1)


async def test_send__many_keys_at_once__consecutive_nonces(anvil: Anvil, make: Make) -> None:
    place(anvil, COUNTER)
    account = anvil.new_account()
    senders = [make(anvil, account), make(anvil, account)]
    await asyncio.gather(*(senders[i % 2].send(f"k{i}", TARGET, WORD) for i in range(20)))
    assert (count(anvil), anvil.nonce(account.address)) == (20, 20)


async def test_send__one_key_from_several_senders_at_once__one_transaction(anvil: Anvil, make: Make) -> None:
    place(anvil, COUNTER)
    account = anvil.new_account()
    results = await asyncio.gather(*(make(anvil, account).send("k", TARGET, WORD) for _ in range(5)))
    assert len({result.tx_hash for result in results}) == 1
    assert count(anvil) == 1


@pytest.mark.parametrize(
    ("to", "data", "value"), [(b"\x02" * 20, WORD, 0), (TARGET, b"", 0), (TARGET, WORD, 1)]
)
async def test_send__key_of_another_call__is_refused(
    anvil: Anvil, make: Make, to: bytes, data: bytes, value: int
) -> None:
    sender = make(anvil, anvil.new_account())
    await sender.send("k", TARGET, WORD)
    with pytest.raises(ConflictError, match="tx_key_reused"):
        await sender.send("k", to, data, value)


async def test_send__simulation_refuses__decoded_and_the_key_stays_free(anvil: Anvil, make: Make) -> None:
    place(anvil, REVERTER)
    account = anvil.new_account()
    sender = make(anvil, account)
    data = NOTHING_TO_RECLAIM.encode(WORD)
    with pytest.raises(TxReverted) as caught:
        await sender.send("k", TARGET, data)
    assert (caught.value.error_name, caught.value.tx_hash) == ("NothingToReclaim", None)
    assert caught.value.reason == f"NothingToReclaim(0x{WORD.hex()})"
    assert anvil.nonce(account.address) == 0
    place(anvil, COUNTER)
    assert (await sender.send("k", TARGET, data)).state == "mined"


async def test_send__reverts_on_chain__decoded_and_the_same_ever_after(manual: Anvil, make: Make) -> None:
    place(manual, TRAP)
    account = manual.new_account()
    sender = make(manual, account)
    data = NOTHING_TO_RECLAIM.encode(WORD)
    sending = asyncio.create_task(sender.send("k", TARGET, data, gas=100_000))
    await until_pending(manual)
    set_slot(manual, 1)
    manual.mine(2)
    with pytest.raises(TxReverted) as caught:
        await sending
    assert caught.value.tx_hash is not None
    with pytest.raises(TxReverted) as again:
        await sender.send("k", TARGET, data)
    assert again.value.tx_hash == caught.value.tx_hash
    assert manual.nonce(account.address) == 1


async def test_send__reverts_on_chain_but_done__is_superseded(manual: Anvil, make: Make) -> None:
    place(manual, TRAP)
    sender = make(manual, manual.new_account())
    is_done = False

    async def done() -> bool:
        return is_done

    sending = asyncio.create_task(sender.send("k", TARGET, b"x", gas=100_000, done=done))
    await until_pending(manual)
    set_slot(manual, 1)
    is_done = True
    manual.mine()
    assert (await sending).state == "superseded"


async def test_send__done_before__nothing_is_sent(anvil: Anvil, make: Make) -> None:
    place(anvil, COUNTER)
    account = anvil.new_account()
    is_done = True

    async def done() -> bool:
        return is_done

    sender = make(anvil, account)
    receipt = await sender.send("k", TARGET, WORD, done=done)
    assert (receipt.state, receipt.tx, anvil.nonce(account.address)) == ("superseded", None, 0)
    is_done = False
    assert (await sender.send("k", TARGET, WORD, done=done)).state == "mined"
    assert count(anvil) == 1


async def test_send__simulation_refuses_because_done__is_superseded(anvil: Anvil, make: Make) -> None:
    place(anvil, REVERTER)
    answers = iter([False, True])

    async def done() -> bool:
        return next(answers)

    receipt = await make(anvil, anvil.new_account()).send("k", TARGET, b"x", done=done)
    assert receipt.state == "superseded"


async def test_send__done_while_waiting__own_transaction_is_cancelled(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    is_done = False

    async def done() -> bool:
        return is_done

    sender = make(manual, account, bump_after_s=0.1)
    sending = asyncio.create_task(sender.send("k", TARGET, WORD, done=done))
    await until_pending(manual)
    is_done = True
    await until_attempts(database, "k", 3)
    manual.mine()
    assert (await sending).state == "superseded"
    assert (count(manual), manual.nonce(account.address)) == (0, 1)
    assert (await attempts_of(database, "k"))[-1]["is_cancel"]


async def test_send__deadline__same_key_goes_on_later(manual: Anvil, make: Make) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    with pytest.raises(DependencyError, match="tx_timeout"):
        await make(manual, account).send("k", TARGET, WORD, timeout_s=0.5)
    manual.mine()
    assert (await make(manual, account).send("k", TARGET, WORD)).state == "mined"
    assert (count(manual), manual.nonce(account.address)) == (1, 1)


async def test_send__account_without_money__says_so(anvil: Anvil, make: Make) -> None:
    account = anvil.new_account(ether=0)
    with pytest.raises(PaymentError, match="insufficient_funds"):
        await make(anvil, account).send("k", TARGET, b"", 1, timeout_s=10)
    with pytest.raises(PaymentError, match="insufficient_funds"):
        await make(anvil, account).send("no gas money", TARGET, b"", gas=30_000, timeout_s=10)
