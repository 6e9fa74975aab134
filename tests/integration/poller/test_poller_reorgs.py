"""Payments that leave the chain, and payments that come back."""

from __future__ import annotations

import asyncio
import time

from eth_account.signers.local import LocalAccount

from aligned.settings import Settings
from aligned.storage.aggregation import accounts
from tests.integration.poller.harness import Payments, running_poller
from tests.integration.storage.aggregation.rows import states, submit


def _forget_since(payments: Payments, snapshot: object) -> None:
    """Back to `snapshot`, with another time, so that the blocks after it are others."""
    payments.rig.node.rpc("evm_revert", snapshot)
    payments.rig.node.rpc("evm_increaseTime", 100)


async def _use_one(payments: Payments, account: LocalAccount, nonce: int = 0) -> None:
    [row] = await payments.query(
        "SELECT id FROM quotas WHERE address = %s AND NOT orphaned", _address(account)
    )
    await submit(payments.db, nonce, row["id"], address=_address(account))


async def _remaining(payments: Payments, account: LocalAccount) -> int:
    """What the gateway would let the account submit."""
    async with payments.db.transaction() as conn:
        rows = await accounts.quota_rows(conn, _address(account), int(time.time()))
        return sum(row["proofs"] - row["used"] for row in rows)


def _address(account: LocalAccount) -> bytes:
    return bytes.fromhex(account.address[2:])


async def test_poller__payment_reorged_away__quota_and_pending_proofs_stop(
    payments: Payments, settings: Settings
) -> None:
    node, account = payments.rig.node, payments.rig.node.new_account()
    before = node.rpc("evm_snapshot")
    payments.pay(account)
    async with running_poller(settings):
        await payments.reaches(account, [(payments.proofs, 0, False)])
        await _use_one(payments, account)
        assert await _remaining(payments, account) == payments.proofs - 1
        _forget_since(payments, before)
        node.mine(2)
        await payments.reaches(account, [(payments.proofs, 1, True)])
    assert await states(payments.db) == ["unpaid"]
    assert await _remaining(payments, account) == 0


async def test_poller__payment_mined_again_behind_another__keeps_what_was_used(
    payments: Payments, settings: Settings
) -> None:
    node = payments.rig.node
    account, other = node.new_account(), node.new_account()
    payment, dearer = payments.signed(account), payments.signed(other, tip_wei=10**10)
    before = node.rpc("evm_snapshot")
    payments.send(payment)
    async with running_poller(settings):
        await payments.reaches(account, [(payments.proofs, 0, False)])
        await _use_one(payments, account)
        _forget_since(payments, before)
        node.mine()
        await payments.reaches(account, [(payments.proofs, 1, True)])
        payments.send(payment, dearer)
        await payments.reaches(account, [(payments.proofs, 1, False)])
    assert await states(payments.db) == ["pending"]
    [row] = await payments.query(
        "SELECT log_index, block_number FROM payments WHERE address = %s", _address(account)
    )
    assert row == {"log_index": 1, "block_number": payments.rig.web3.eth.block_number}
    assert await payments.rows(other) == [(payments.proofs, 0, False)]


async def test_poller__payment_mined_again_while_the_poller_was_off__counts_once(
    payments: Payments, settings: Settings
) -> None:
    node, account = payments.rig.node, payments.rig.node.new_account()
    payment = payments.signed(account)
    before = node.rpc("evm_snapshot")
    payments.send(payment)
    async with running_poller(settings):
        await payments.reaches(account, [(payments.proofs, 0, False)])
        await _use_one(payments, account)
    _forget_since(payments, before)
    node.mine(3)
    payments.send(payment)
    node.mine(3)
    async with running_poller(settings):
        await payments.read_to_the_head()
    assert await payments.rows(account) == [(payments.proofs, 1, False)]
    [row] = await payments.query("SELECT block_number FROM payments")
    assert row["block_number"] == _block_of(payments, payment)


async def test_poller__only_the_last_blocks_change__earlier_payments_stay(
    payments: Payments, settings: Settings
) -> None:
    node = payments.rig.node
    early, late = node.new_account(), node.new_account()
    async with running_poller(settings):
        payments.pay(early)
        await payments.reaches(early, [(payments.proofs, 0, False)])
        payments.pay(late)
        await payments.reaches(late, [(payments.proofs, 0, False)])
        await asyncio.to_thread(node.rpc, "anvil_reorg", 1, [])
        node.mine()
        await payments.reaches(late, [(payments.proofs, 0, True)])
    assert await payments.rows(early) == [(payments.proofs, 0, False)]


async def test_poller__paid_anew_after_a_reorg__unpaid_proofs_go_on(
    payments: Payments, settings: Settings
) -> None:
    node, account = payments.rig.node, payments.rig.node.new_account()
    before = node.rpc("evm_snapshot")
    payments.pay(account)
    async with running_poller(settings):
        await payments.reaches(account, [(payments.proofs, 0, False)])
        await _use_one(payments, account)
        _forget_since(payments, before)
        # Another transaction: the first one will never come back.
        payments.send(payments.signed(account, tip_wei=2 * 10**9))
        await payments.reaches(account, [(payments.proofs, 0, True), (payments.proofs, 1, False)])
    assert await states(payments.db) == ["pending"]


def _block_of(payments: Payments, raw: str) -> int:
    """Block of a signed transaction."""
    tx_hash = payments.rig.web3.keccak(hexstr=raw)
    return payments.rig.web3.eth.get_transaction_receipt(tx_hash)["blockNumber"]
