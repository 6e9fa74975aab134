"""The sender on a real node: one wish, one transaction, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from eth_account.signers.local import LocalAccount

from aligned.chain.abi import contract_abi
from aligned.chain.client import ChainClient
from aligned.chain.errors import TxReverted
from aligned.chain.sender import TxSender
from aligned.chain.types import ChainReceipt
from aligned.core.errors import ConflictError, DependencyError, InvariantError, PaymentError
from aligned.storage.postgres import Database
from tests.integration.chain.code import COUNTER, REVERTER, TARGET, TRAP, count, place, set_slot
from tests.integration.node import Anvil

WORD = b"\x01" * 32
NOTHING_TO_RECLAIM = next(
    error
    for error in contract_abi("AlignedLayerServiceManager").errors.values()
    if error.name == "NothingToReclaim"
)
Make = Callable[..., TxSender]


@pytest.fixture
def manual() -> Iterator[Anvil]:
    """A node that mines only when told to."""
    with Anvil("--no-mining") as node:
        yield node


@pytest_asyncio.fixture
async def make(database: Database) -> AsyncIterator[Make]:
    clients: list[ChainClient] = []

    def build(node: Anvil, account: LocalAccount, **options: Any) -> TxSender:
        clients.append(ChainClient([node.url], node.chain_id))
        return TxSender(database, clients[-1], account, **({"poll_s": 0.02} | options))

    yield build
    for client in clients:
        await client.close()


async def _attempts(database: Database, key: str) -> list[dict[str, Any]]:
    async with database.transaction() as conn:
        found = await conn.execute("SELECT * FROM tx_attempt WHERE key = %s ORDER BY number", (key,))
        return await found.fetchall()


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - it looks at a node and a database
            await asyncio.sleep(0.02)


async def _until_attempts(database: Database, key: str, number: int) -> None:
    async def reached() -> bool:
        return len(await _attempts(database, key)) >= number

    await _until(reached)


def _pending(node: Anvil) -> int:
    return int(node.rpc("txpool_status")["pending"], 16)


async def _until_pending(node: Anvil, number: int = 1) -> None:
    async def reached() -> bool:
        return _pending(node) >= number

    await _until(reached)


def _foreign(node: Anvil, account: LocalAccount, nonce: int, gas_price_gwei: int = 200) -> str:
    """Another program sends from the same account."""
    fields: dict[str, Any] = {
        "nonce": nonce,
        "to": b"\xee" * 20,
        "value": 1,
        "gas": 21_000,
        "gasPrice": gas_price_gwei * 10**9,
        "chainId": node.chain_id,
    }
    signed = account.sign_transaction(fields)
    return str(node.rpc("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex()))


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
    await _until_pending(manual)
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
    await _until_pending(manual)
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
    await _until_pending(manual)
    is_done = True
    await _until_attempts(database, "k", 3)
    manual.mine()
    assert (await sending).state == "superseded"
    assert (count(manual), manual.nonce(account.address)) == (0, 1)
    assert (await _attempts(database, "k"))[-1]["is_cancel"]


async def test_send__not_mined__both_fees_rise_by_an_eighth_and_one_form_counts(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    sending = asyncio.create_task(make(manual, account, bump_after_s=0.05).send("k", TARGET, WORD))
    await _until_attempts(database, "k", 4)
    manual.mine()
    receipt = await sending
    attempts = await _attempts(database, "k")
    for old, new in pairwise(attempts):
        assert new["nonce"] == old["nonce"] == 0
        assert new["max_fee_wei"] * 8 >= old["max_fee_wei"] * 9
        assert new["priority_fee_wei"] * 8 >= old["priority_fee_wei"] * 9
    assert receipt.tx_hash in {row["tx_hash"] for row in attempts}
    manual.mine(3)
    assert (count(manual), manual.nonce(account.address)) == (1, 1)


async def test_send__fee_cap__is_never_exceeded(manual: Anvil, make: Make, database: Database) -> None:
    cap_wei = 4 * 10**9
    sender = make(manual, manual.new_account(), bump_after_s=0.05, max_fee_wei=cap_wei)
    sending = asyncio.create_task(sender.send("k", TARGET, b""))
    await _until_attempts(database, "k", 2)
    await asyncio.sleep(0.3)
    manual.mine()
    await sending
    assert max(row["max_fee_wei"] for row in await _attempts(database, "k")) <= cap_wei


async def test_send__transaction_dropped_by_the_node__is_sent_again(manual: Anvil, make: Make) -> None:
    place(manual, COUNTER)
    sending = asyncio.create_task(make(manual, manual.new_account()).send("k", TARGET, WORD))
    await _until_pending(manual)
    manual.rpc("anvil_dropAllTransactions")
    await _until_pending(manual)
    manual.mine()
    assert (await sending).state == "mined"
    assert count(manual) == 1


async def test_send__foreign_transaction_takes_the_nonce__moves_on_once(manual: Anvil, make: Make) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    sending = asyncio.create_task(make(manual, account, confirmations=2).send("k", TARGET, WORD))
    await _until_pending(manual)
    _foreign(manual, account, nonce=0)
    manual.mine(2)
    await _until_pending(manual)
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
    await _until_pending(manual)
    _foreign(manual, account, nonce=0)
    is_done = True
    manual.mine()
    receipt = await sending
    assert (receipt.state, receipt.tx, count(manual)) == ("superseded", None, 0)


async def test_send__foreign_transaction_below_vanishes__gap_is_filled(manual: Anvil, make: Make) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    foreign = _foreign(manual, account, nonce=0)
    sending = asyncio.create_task(make(manual, account, bump_after_s=0.2).send("k", TARGET, WORD))
    await _until_pending(manual, 2)
    manual.rpc("anvil_dropTransaction", foreign)

    async def mined() -> bool:
        manual.mine()
        return sending.done()

    await _until(mined)
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
    await _until_attempts(database, "abandoned", 2)
    await _until_pending(manual, 2)
    manual.mine()
    assert (await sending).state == "mined"
    assert (count(manual), manual.nonce(account.address)) == (2, 2)


async def test_send__deadline__same_key_goes_on_later(manual: Anvil, make: Make) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    with pytest.raises(DependencyError, match="tx_timeout"):
        await make(manual, account).send("k", TARGET, WORD, timeout_s=0.5)
    manual.mine()
    assert (await make(manual, account).send("k", TARGET, WORD)).state == "mined"
    assert (count(manual), manual.nonce(account.address)) == (1, 1)


async def test_send__confirmations__waits_for_them(manual: Anvil, make: Make) -> None:
    sending = asyncio.create_task(make(manual, manual.new_account(), confirmations=3).send("k", TARGET))
    await _until_pending(manual)
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
    await _until_pending(manual)
    manual.mine(1)
    assert count(manual) == 1
    manual.rpc("evm_revert", snapshot)
    manual.rpc("anvil_dropAllTransactions")
    assert count(manual) == 0
    await _until_pending(manual)
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
    await _until_pending(manual)
    manual.mine()
    first = await sending
    manual.rpc("evm_revert", snapshot)
    manual.rpc("anvil_dropAllTransactions")
    manual.mine()
    sending = asyncio.create_task(sender.send("k", TARGET, WORD))
    await _until_pending(manual)
    manual.mine()
    second = await sending
    assert (first.tx_hash, first.block_number) != (None, second.block_number)
    assert second.tx_hash == first.tx_hash
    assert (count(manual), manual.nonce(account.address)) == (1, 1)


async def test_send__account_without_money__says_so(anvil: Anvil, make: Make) -> None:
    account = anvil.new_account(ether=0)
    with pytest.raises(PaymentError, match="insufficient_funds"):
        await make(anvil, account).send("k", TARGET, b"", 1, timeout_s=10)
    with pytest.raises(PaymentError, match="insufficient_funds"):
        await make(anvil, account).send("no gas money", TARGET, b"", gas=30_000, timeout_s=10)


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
