"""A user's way through aggregation mode, and what is checked of it on chain."""

from __future__ import annotations

import asyncio

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from aligned.chain.contracts import AggregationPayments, AggregationService
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import AlignedError, ConflictError, PaymentError, ProofError
from aligned.devnet.aggregation_cases import bad_submissions
from aligned.devnet.aggregation_onchain import blob_is_bound, foreign_leaves
from aligned.devnet.cluster import Cluster
from aligned.devnet.consumer import use_aggregated
from aligned.devnet.forgeries import ACCEPTED, forgeries, right_call
from aligned.devnet.keys import FIRST_USER
from aligned.sdk import AggregationClient, SyncAggregationClient, check_receipt, devnet_account
from aligned.sdk.wallet import Wallet
from aligned.wire.gateway import Receipt
from tests.e2e.aggregation.conftest import WAIT_S, Grant, proofs_of, until_quota

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_submit__real_proofs__final_and_included_with_the_blob_bound(
    cluster: Cluster, aggregation: AggregationClient, system: AggregationSystem
) -> None:
    files = proofs_of(system, 2)
    receipts = [await aggregation.submit(each) for each in files]
    final = [await aggregation.wait(receipt, timeout_s=WAIT_S) for receipt in receipts]
    for receipt, proof in zip(final, files, strict=True):
        check_receipt(receipt, proof.public_inputs)
        assert await aggregation.verify_inclusion(receipt, proof.public_inputs)
        assert await aggregation.verify_inclusion(receipt)
        assert not await aggregation.verify_inclusion(receipt, b"other")
    place = final[0].aggregation
    assert place is not None
    assert (place.level, bool(place.not_proved)) == ("native", True)
    leaves = await aggregation.leaves(place.root)
    assert leaves.source.startswith("beacon")
    assert leaves.refused == ()
    assert {each.commitment for each in files} <= set(leaves.commitments)
    service = AggregationService(cluster.chain, cluster.deployment.aggregation_service)
    assert await blob_is_bound(cluster.chain, service, leaves)
    refused = await foreign_leaves(service, final[0], files[0].public_inputs)
    assert all(refused.values()), refused
    assert await use_aggregated(cluster.chain, service, final[0], files[0].public_inputs) == (True, True)


async def test_leaves__no_beacon_node_or_a_dead_one__from_the_archive_and_checked(
    cluster: Cluster, aggregation: AggregationClient
) -> None:
    receipt = await aggregation.submit(proofs_of(AggregationSystem.RISC0, 1)[0])
    place = (await aggregation.wait(receipt, timeout_s=WAIT_S)).aggregation
    assert place is not None
    elsewhere = cluster.aggregation.at(beacon_urls=("http://127.0.0.1:9",))
    async with AggregationClient(elsewhere) as client:
        leaves = await client.leaves(place.root)
    assert leaves.source.startswith("archive")
    assert [each.code for each in leaves.refused] == ["beacon_unavailable"]
    assert len(leaves.commitments) == place.leaf_count


async def test_submit__damaged_proofs__refused_with_their_code_and_quota_given_back(
    cluster: Cluster, aggregation: AggregationClient, system: AggregationSystem
) -> None:
    before = (await aggregation.quota()).remaining
    codes = {}
    for case in bad_submissions(system):
        with pytest.raises(ProofError) as caught:
            await aggregation.submit(case.files)
        codes[case.file] = caught.value.code
    assert {
        case.file: codes[case.file] for case in bad_submissions(system) if codes[case.file] not in case.codes
    } == {}
    assert (await aggregation.quota()).remaining == before


async def test_submit__same_proof_again__same_receipt_and_charged_once(
    aggregation: AggregationClient,
) -> None:
    files = proofs_of(AggregationSystem.SP1, 1)[0]
    before = (await aggregation.quota()).remaining
    receipts = [await aggregation.submit(files) for _ in range(3)]
    assert len({receipt.id for receipt in receipts}) == 1
    assert (await aggregation.quota()).remaining == before - 1
    page = await aggregation.receipts()
    assert [receipt.id for receipt in page.receipts] == [receipts[0].id]


async def test_submit__two_at_once_over_the_quota__exactly_one_wins(cluster: Cluster, grant: Grant) -> None:
    account = await grant(1)
    first, second = proofs_of(AggregationSystem.RISC0, 2)
    async with (
        AggregationClient(cluster.aggregation, account) as one,
        AggregationClient(cluster.aggregation, account) as two,
    ):
        outcomes = await asyncio.gather(
            one.submit(first, nonce=0), two.submit(second, nonce=0), return_exceptions=True
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) in (
            ["ConflictError", "Receipt"],
            ["PaymentError", "Receipt"],
        )
        with pytest.raises(PaymentError, match="quota_exhausted"):
            await one.submit(proofs_of(AggregationSystem.SP1, 1)[0])


async def test_submit__never_paid_or_taken_nonce__refused(
    cluster: Cluster, aggregation: AggregationClient, account: LocalAccount
) -> None:
    files = proofs_of(AggregationSystem.RISC0, 1)[0]
    async with AggregationClient(cluster.aggregation, Account.create()) as poor:
        with pytest.raises(PaymentError, match="payment_required"):
            await poor.submit(files)
    await aggregation.submit(files)
    with pytest.raises(ConflictError, match="nonce_used"):
        await aggregation.submit(proofs_of(AggregationSystem.SP1, 1)[0], nonce=0)
    with pytest.raises(ConflictError, match="nonce_gap"):
        await aggregation.submit(proofs_of(AggregationSystem.SP1, 1)[0], nonce=7)
    with pytest.raises(AlignedError, match="expired_deadline"):
        await aggregation.submit(proofs_of(AggregationSystem.SP1, 1)[0], lifetime_s=-60)


async def test_renewal__transfer_and_deposit_for_somebody__add_up(
    cluster: Cluster, aggregation: AggregationClient, account: LocalAccount, grant: Grant
) -> None:
    terms = await aggregation.terms()
    payments = AggregationPayments(cluster.chain, cluster.aggregation.payment_service)
    await Wallet(cluster.chain, account).send(payments.address, value_wei=terms.price_wei)
    await until_quota(aggregation, 2 * terms.proofs)
    friend = bytes.fromhex((await grant(3)).address[2:])
    await aggregation.deposit(friend)
    await until_quota(aggregation, terms.proofs + 3, friend)


async def test_contract__forged_calls__refused_and_the_right_one_taken(
    cluster: Cluster, system: AggregationSystem
) -> None:
    service = AggregationService(cluster.chain, cluster.deployment.aggregation_service)
    right = right_call(system, (await cluster.programs())[system])
    sender = bytes.fromhex(devnet_account(FIRST_USER).address[2:])
    assert await right.outcome(cluster.chain, service, sender) == ACCEPTED
    outcomes = {
        name: await call.outcome(cluster.chain, service, sender) for name, call, _ in forgeries(right)
    }
    assert outcomes == {name: expected for name, _, expected in forgeries(right)}


async def test_sync_client__submit_and_wait__as_the_asynchronous_one(cluster: Cluster, grant: Grant) -> None:
    account = await grant(1)

    def blocking() -> tuple[Receipt, bool]:
        with SyncAggregationClient(cluster.aggregation, account) as client:
            files = proofs_of(AggregationSystem.SP1, 2)[1]
            receipt = client.wait(client.submit(files), timeout_s=WAIT_S)
            return receipt, client.verify_inclusion(receipt, files.public_inputs)

    receipt, is_included = await asyncio.to_thread(blocking)
    assert (receipt.state, is_included) == ("final", True)
