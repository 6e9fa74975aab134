"""The poller on a real chain: every payment once, whatever pays it and however it is read."""

from __future__ import annotations

import asyncio

import httpx

from aligned.devnet.process import free_port
from aligned.settings import Settings
from tests.integration.poller.harness import Payments, running_poller, with_chain
from tests.integration.rig import Rig


async def test_poller__plain_transfers__each_buys_a_period(payments: Payments, settings: Settings) -> None:
    account = payments.rig.node.new_account()
    payments.pay(account)
    async with running_poller(settings):
        await payments.reaches(account, [(payments.proofs, 0, False)])
        payments.pay(account)
        await payments.reaches(account, [(payments.proofs, 0, False)] * 2)
    rows = await payments.query("SELECT valid_from_s, valid_until_s FROM quotas ORDER BY id")
    assert rows[1]["valid_until_s"] == payments.expiry(account)
    assert (
        rows[1]["valid_until_s"] - rows[0]["valid_until_s"]
        == rows[0]["valid_until_s"] - rows[0]["valid_from_s"]
    )


async def test_poller__row__says_what_the_chain_says(payments: Payments, settings: Settings) -> None:
    account = payments.rig.node.new_account()
    payments.pay(account)
    async with running_poller(settings):
        await payments.reaches(account, [(payments.proofs, 0, False)])
    block = payments.rig.web3.eth.get_block("latest")
    [row] = await payments.query("SELECT * FROM payments")
    assert row["amount_wei"] == payments.price_wei
    assert (row["address"], row["payer"]) == (bytes.fromhex(account.address[2:]),) * 2
    assert (row["block_number"], row["block_hash"]) == (block["number"], bytes(block["hash"]))
    assert row["tx_hash"] == bytes(block["transactions"][0])  # type: ignore[arg-type]


async def test_poller__three_events_in_one_transaction__all_count(
    payments: Payments, settings: Settings
) -> None:
    first, second = (payments.rig.node.new_account() for _ in range(2))
    payments.grant([first, second, first], 7)
    async with running_poller(settings):
        await payments.reaches(second, [(7, 0, False)])
        await payments.reaches(first, [(7, 0, False)] * 2)
    assert await payments.query("SELECT event_index, kind FROM payments ORDER BY event_index") == [
        {"event_index": index, "kind": "grant"} for index in range(3)
    ]


async def test_poller__amount_above_63_bits__is_exact(payments: Payments, settings: Settings) -> None:
    account = payments.rig.node.new_account(ether=1_000)
    payments.set_price(2**69 + 1)
    payments.pay(account)
    async with running_poller(settings):
        await payments.reaches(account, [(payments.proofs, 0, False)])
    assert await payments.query("SELECT amount_wei::text FROM payments") == [{"amount_wei": str(2**69 + 1)}]


async def test_poller__stopped_for_a_while__reads_on_where_it_was(
    payments: Payments, settings: Settings
) -> None:
    accounts = [payments.rig.node.new_account() for _ in range(3)]
    for account in accounts:
        payments.pay(account)
        async with running_poller(settings):
            await payments.reaches(account, [(payments.proofs, 0, False)])
    assert await payments.query("SELECT count(*) AS n FROM quotas") == [{"n": 3}]


async def test_poller__two_over_one_database__each_payment_once(
    payments: Payments, settings: Settings
) -> None:
    accounts = [payments.rig.node.new_account() for _ in range(8)]
    async with running_poller(settings), running_poller(settings):
        for account in accounts:
            await asyncio.to_thread(payments.pay, account)
            await asyncio.to_thread(payments.grant, [account, account], 3)
        await payments.read_to_the_head()
    for account in accounts:
        assert await payments.rows(account) == [
            (payments.proofs, 0, False),
            (3, 0, False),
            (3, 0, False),
        ]


async def test_poller__confirmations__waits_for_them(
    payments: Payments, rig: Rig, settings: Settings
) -> None:
    account = rig.node.new_account()
    payments.pay(account)
    async with running_poller(with_chain(settings, event_confirmations=2)):
        rig.node.mine()
        await payments.handled(rig.web3.eth.block_number - 2)
        assert await payments.rows(account) == []
        rig.node.mine()
        await payments.reaches(account, [(payments.proofs, 0, False)])


async def test_poller__ready__says_how_far_it_is_and_shows_it_in_metrics(
    payments: Payments, rig: Rig, postgres: str
) -> None:
    port = free_port()
    account = rig.node.new_account()
    payments.pay(account)
    async with running_poller(rig.settings(postgres, poller={"port": port})):
        await payments.read_to_the_head()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            answer = await http.get("/readyz")
            metrics = (await http.get("/metrics")).text
    assert (answer.status_code, answer.json()["lag_blocks"], answer.json()["active_accounts"]) == (200, 0, 1)
    assert f"aligned_payments_poller_last_processed_block {rig.web3.eth.block_number}.0" in metrics
    assert "aligned_payments_poller_active_subscriptions 1.0" in metrics


async def test_poller__chain_gone__is_not_ready(payments: Payments, rig: Rig, postgres: str) -> None:
    port = free_port()
    async with running_poller(rig.settings(postgres, poller={"port": port})):
        await payments.read_to_the_head()
        rig.node.stop()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            assert (await http.get("/readyz")).status_code == 503
            assert (await http.get("/healthz")).status_code == 200
