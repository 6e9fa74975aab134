"""Wallets of one account: in one process they never collide, between processes the loser reads the nonce again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from aligned.chain.client import ChainClient
from aligned.chain.errors import INSUFFICIENT_FUNDS
from aligned.chain.rpc import RpcError
from aligned.core.errors import TIMEOUT, AlignedError, ConflictError, DependencyError, PaymentError
from aligned.sdk.turns import account_turns
from aligned.sdk.wallet import NONCE_TAKEN, Wallet
from tests.integration.node import Anvil

PAYEE = bytes.fromhex("22" * 20)
# A contract of one byte: STOP.
CREATION = bytes.fromhex("6001600c60003960016000f300")


@pytest.fixture
def slow_node() -> Iterator[Anvil]:
    """Blocks by the clock, as on a real network: transactions wait beside each other."""
    with Anvil("--block-time", "1") as node:
        yield node


class _Outsider(Wallet):
    """A wallet of another process: nobody in this one knows of it."""

    async def _own_turns(self) -> Any:
        return account_turns(object())


async def test_send__two_wallets_of_one_account_at_once__every_transaction_is_mined(slow_node: Anvil) -> None:
    account = slow_node.new_account()
    async with ChainClient([slow_node.url], 31337) as one, ChainClient([slow_node.url], 31337) as other:
        wallets = [Wallet(one, account), Wallet(other, account)] * 5
        receipts = await asyncio.gather(*(wallet.send(PAYEE, value_wei=1) for wallet in wallets))
        deployed = await asyncio.gather(*(wallet.deploy(CREATION) for wallet in wallets[:4]))
    assert len({receipt.tx_hash for receipt in receipts}) == len(set(deployed)) + 6 == 10
    assert slow_node.nonce(account.address) == 14


async def test_send__wallets_of_four_processes_at_once__every_transaction_is_mined_once(
    slow_node: Anvil,
) -> None:
    account = slow_node.new_account()
    async with ChainClient([slow_node.url], 31337) as chain:
        outsiders = [_Outsider(chain, account) for _ in range(4)]
        done = await asyncio.gather(
            *(outsider.send(PAYEE, value_wei=1) for outsider in outsiders), return_exceptions=True
        )
    lost = [each for each in done if isinstance(each, BaseException)]
    assert all(isinstance(each, ConflictError) and each.code == NONCE_TAKEN for each in lost), lost
    balance = int(slow_node.rpc("eth_getBalance", "0x" + PAYEE.hex(), "latest"), 16)
    assert balance == slow_node.nonce(account.address) == len(done) - len(lost) > 0


@pytest.mark.parametrize(
    "refusal",
    ["nonce too low", "replacement transaction underpriced", "OldNonce", "could not replace existing tx"],
)
async def test_send__node_says_that_the_nonce_is_gone__read_again_and_sent(
    anvil: Anvil, refusal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = anvil.new_account()
    async with ChainClient([anvil.url], 31337) as chain:
        refused: list[bytes] = []
        send_raw = chain.send_raw

        async def send(raw: bytes) -> None:
            if not refused:
                refused.append(raw)
                raise RpcError(-32000, refusal)
            await send_raw(raw)

        monkeypatch.setattr(chain, "send_raw", send)
        await Wallet(chain, account).send(PAYEE, value_wei=1)
    assert len(refused) == anvil.nonce(account.address) == 1


async def test_send__always_refused__ends_with_nonce_taken_and_holds_nothing(
    anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = anvil.new_account()
    monkeypatch.setattr("aligned.sdk.wallet._CLASH_PAUSE_S", 0.0)
    async with ChainClient([anvil.url], 31337) as chain:

        async def refuse(_raw: bytes) -> None:
            raise RpcError(-32000, "nonce too low")

        wallet = Wallet(chain, account)
        with monkeypatch.context() as patched:
            patched.setattr(chain, "send_raw", refuse)
            with pytest.raises(ConflictError, match="another program") as error:
                await wallet.send(PAYEE, value_wei=1)
        assert error.value.code == NONCE_TAKEN
        await wallet.send(PAYEE, value_wei=1)
    assert anvil.nonce(account.address) == 1


async def test_send__answer_to_the_broadcast_is_lost__one_transaction_and_its_receipt(
    anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = anvil.new_account()
    async with ChainClient([anvil.url], 31337) as chain:
        send_raw = chain.send_raw

        async def lose(raw: bytes) -> None:
            await send_raw(raw)
            raise DependencyError("chain_unavailable", "the line is cut")

        monkeypatch.setattr(chain, "send_raw", lose)
        receipt = await Wallet(chain, account).send(PAYEE, value_wei=1)
    assert receipt.succeeded
    assert anvil.nonce(account.address) == 1


async def test_send__broadcast_never_arrives__the_same_bytes_are_sent_again(
    anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = anvil.new_account()
    monkeypatch.setattr("aligned.sdk.wallet._SEND_AGAIN_S", 0.0)
    async with ChainClient([anvil.url], 31337) as chain:
        sent: list[bytes] = []
        send_raw = chain.send_raw

        async def drop_first(raw: bytes) -> None:
            sent.append(raw)
            if len(sent) == 1:
                raise DependencyError("chain_unavailable", "no route")
            await send_raw(raw)

        monkeypatch.setattr(chain, "send_raw", drop_first)
        await Wallet(chain, account).send(PAYEE, value_wei=1)
    assert len(set(sent)) == 1
    assert anvil.nonce(account.address) == 1


@pytest.mark.parametrize("is_creation", [False, True])
async def test_send__account_without_ether__insufficient_funds_says_what_to_do(
    anvil: Anvil, is_creation: bool
) -> None:
    account = anvil.new_account(ether=0)
    async with ChainClient([anvil.url], 31337) as chain:
        wallet = Wallet(chain, account)
        sending = _cost_money(wallet, is_creation)
        with pytest.raises(PaymentError, match="send it ether") as error:
            await sending
    assert error.value.code == INSUFFICIENT_FUNDS
    assert not error.value.retryable


async def _cost_money(wallet: Wallet, is_creation: bool) -> None:
    if is_creation:
        await wallet.deploy(CREATION)
    else:
        await wallet.send(PAYEE, value_wei=1)


async def test_send__not_mined_in_time__timeout_names_the_transaction(anvil: Anvil) -> None:
    account = anvil.new_account()
    anvil.rpc("evm_setAutomine", False)
    async with ChainClient([anvil.url], 31337) as chain:
        with pytest.raises(DependencyError, match="look it up") as error:
            await Wallet(chain, account).send(PAYEE, value_wei=1, timeout_s=0.5)
    assert error.value.code == TIMEOUT
    assert str(error.value.context["tx_hash"]).startswith("0x")


async def test_send__another_transaction_took_the_nonce__said_after_the_wait(
    anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = anvil.new_account()
    async with ChainClient([anvil.url], 31337) as chain:

        async def swallow(_raw: bytes) -> None:
            """The other program's transaction is mined instead."""
            anvil.rpc("eth_sendRawTransaction", _transfer(account, anvil.nonce(account.address)))

        monkeypatch.setattr(chain, "send_raw", swallow)
        with pytest.raises(AlignedError) as error:
            await Wallet(chain, account).send(PAYEE, value_wei=1, timeout_s=0.5)
    assert error.value.code == NONCE_TAKEN


def _transfer(account: LocalAccount, nonce: int) -> str:
    fields = {
        "to": "0x" + PAYEE.hex(),
        "value": 5,
        "gas": 21_000,
        "gasPrice": 10**10,
        "nonce": nonce,
        "chainId": 31337,
    }
    return "0x" + bytes(account.sign_transaction(fields).raw_transaction).hex()
