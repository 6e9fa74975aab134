"""A user's way through the whole system."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from aligned.chain.errors import TxReverted
from aligned.core import errors
from aligned.core.types import ProvingSystem, VerificationData
from aligned.devnet.cases import bad_proofs, flip_byte, good_proofs
from aligned.devnet.cluster import Cluster
from aligned.devnet.consumer import use_in_contract
from aligned.devnet.gas import measure_gas
from aligned.devnet.keys import DEPLOYER
from aligned.sdk import AlignedClient, SyncClient, devnet_account
from aligned.sdk.models import State
from aligned.sdk.network import DEVNET
from aligned.sdk.wallet import Wallet
from tests.e2e.conftest import WAIT_S, named_proof

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_submit__every_real_proof__verified_on_chain(
    client: AlignedClient, account: LocalAccount
) -> None:
    proofs = good_proofs(bytes.fromhex(account.address[2:]))
    results = await client.submit([proof.data for proof in proofs])
    assert [result.error for result in results] == [None] * len(proofs)
    for result in results:
        inclusion = await client.wait(result.unwrap(), timeout_s=WAIT_S)
        data = inclusion.verification_data()
        assert await client.verify_onchain(data)
        assert not await client.verify_onchain(
            replace(data, index=data.index + (1 << len(data.merkle_path) // 32))
        )
        assert not await client.verify_onchain(replace(data, proof_commitment=bytes(32)))


async def test_submit__damaged_proofs__refused_with_their_code_and_nothing_else_disturbed(
    client: AlignedClient, account: LocalAccount, small_proof: VerificationData
) -> None:
    cases = bad_proofs(bytes.fromhex(account.address[2:]))
    results = await client.submit([case.data for case in cases])
    codes = {
        case.file: result.error and result.error.code for case, result in zip(cases, results, strict=True)
    }
    assert {case.file: codes[case.file] for case in cases if codes[case.file] not in case.codes} == {}
    assert await client.nonce() == 0
    receipt = (await client.submit([small_proof]))[0].unwrap()
    assert receipt.nonce == 0
    assert (await client.wait(receipt, timeout_s=WAIT_S)).state == State.VERIFIED


async def test_submit__burst_with_a_bad_proof_in_the_middle__others_get_in_with_consecutive_nonces(
    client: AlignedClient, small_proof: VerificationData
) -> None:
    bad = replace(small_proof, pub_input=flip_byte(small_proof.pub_input or b""))
    results = await client.submit([small_proof, bad, small_proof, bad, small_proof])
    assert [result.receipt and result.receipt.nonce for result in results] == [0, None, 1, None, 2]
    assert {result.error.code for result in results if result.error} == {errors.INVALID_PROOF}


async def test_submit__nonce_given_twice__second_replaces_only_with_a_higher_fee(
    cluster: Cluster, client: AlignedClient, small_proof: VerificationData
) -> None:
    fee_wei = await client.estimate_fee()
    receipt = (await client.submit([small_proof], nonce=5, max_fee_wei=fee_wei))[0]
    assert receipt.error is not None
    assert receipt.error.code == errors.NONCE_TOO_HIGH
    own = (await client.submit([small_proof], nonce=0, max_fee_wei=fee_wei))[0].unwrap()
    await client.wait(own, timeout_s=WAIT_S)
    other = named_proof("circom/preimage_b.proof.json", devnet_account(9))
    used = (await client.submit([other], nonce=0, max_fee_wei=2 * fee_wei))[0]
    assert used.error is not None
    assert used.error.code == errors.NONCE_USED


async def test_submit__without_deposit_or_for_one_wei__refused(
    cluster: Cluster, client: AlignedClient, small_proof: VerificationData
) -> None:
    poor: LocalAccount = Account.create()
    async with AlignedClient(cluster.network, poor) as other:
        refused = (await other.submit([small_proof]))[0]
    assert refused.error is not None
    assert refused.error.code == errors.INSUFFICIENT_BALANCE
    cheap = (await client.submit([small_proof], max_fee_wei=1))[0]
    assert cheap.error is not None
    assert cheap.error.code == errors.FEE_TOO_LOW


async def test_submit__verifier_switched_off_on_chain__refused_until_it_is_on_again(
    cluster: Cluster, client: AlignedClient, small_proof: VerificationData
) -> None:
    admin = Wallet(cluster.chain, devnet_account(DEPLOYER))
    manager = cluster.service_manager
    await admin.send(
        manager.address, manager.encode_set_disabled_verifiers(1 << ProvingSystem.CIRCOM_GROTH16_BN256)
    )
    try:
        await cluster.wait_blocks(3)
        refused = (await client.submit([small_proof]))[0]
        assert refused.error is not None
        assert refused.error.code == errors.VERIFIER_DISABLED
    finally:
        await admin.send(manager.address, manager.encode_set_disabled_verifiers(0))
    await cluster.wait_blocks(3)
    receipt = (await client.submit([small_proof]))[0].unwrap()
    assert (await client.wait(receipt, timeout_s=WAIT_S)).state == State.VERIFIED


async def test_quorum__one_operator_off__is_the_non_signer(
    cluster: Cluster, client: AlignedClient, small_proof: VerificationData
) -> None:
    receipt = (await client.submit([small_proof]))[0].unwrap()
    await client.wait(receipt, timeout_s=WAIT_S)
    gas = await measure_gas(cluster.chain, cluster.deployment)
    assert gas.non_signers == 1


async def test_consumer__own_program_and_another__takes_only_its_own(
    cluster: Cluster, client: AlignedClient, account: LocalAccount
) -> None:
    own = named_proof("sp1/fib_a.compressed.proof", account)
    other = named_proof("sp1/agg.compressed.proof", account)
    receipts = [result.unwrap() for result in await client.submit([own, other])]
    shown = [
        (data, (await client.wait(receipt, timeout_s=WAIT_S)).verification_data())
        for data, receipt in zip((own, other), receipts, strict=True)
    ]
    program = own.verification_key or b""
    taken = await use_in_contract(cluster.chain, cluster.deployment.service_manager, program, shown)
    assert taken == [True, False]


async def test_withdraw__unlocked_and_waited__pays_out_and_batcher_takes_no_proofs_meanwhile(
    cluster: Cluster, client: AlignedClient, small_proof: VerificationData
) -> None:
    with pytest.raises(TxReverted, match="FundsLocked"):
        await client.withdraw(10**17)
    await client.unlock()
    await cluster.wait_blocks(3)
    refused = (await client.submit([small_proof]))[0]
    assert refused.error is not None
    assert refused.error.code == errors.FUNDS_UNLOCKED
    await cluster.cheats.advance_time(3_700)
    await client.withdraw(10**17)
    assert (await client.balance()).balance_wei == 9 * 10**17


async def test_devnet__addresses__are_those_that_clients_of_the_reference_have_built_in(
    cluster: Cluster,
) -> None:
    assert cluster.network.service_manager == DEVNET.service_manager
    assert cluster.network.payment_service == DEVNET.payment_service


async def test_sync_client__submit_and_wait__as_the_asynchronous_one(
    cluster: Cluster, client: AlignedClient, account: LocalAccount, small_proof: VerificationData
) -> None:
    def blocking() -> bool:
        with SyncClient(cluster.network, account) as own:
            receipt = own.submit([small_proof])[0].unwrap()
            return own.verify_onchain(own.wait(receipt, timeout_s=WAIT_S).verification_data())

    assert await asyncio.to_thread(blocking)
