"""Roles of aggregation mode killed in the middle: nothing is lost, nothing is charged or sent twice."""

from __future__ import annotations

import asyncio

import pytest
from eth_account.signers.local import LocalAccount

from aligned.chain.contracts import AggregationService
from aligned.core.aggregation import AggregationSystem
from aligned.devnet.cluster import Cluster
from aligned.sdk import AggregationClient, ProofFiles
from aligned.sdk.deadline import Deadline
from aligned.wire.gateway import Receipt, has_reached
from tests.e2e.aggregation.conftest import WAIT_S, Grant, proofs_of, until_quota

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_poller__killed_while_a_payment_is_mined__counts_it_once_after_its_restart(
    cluster: Cluster, account: LocalAccount
) -> None:
    poller = cluster.role("poller")
    async with AggregationClient(cluster.aggregation, account) as client:
        poller.process.kill()
        await client.deposit()
        await cluster.wait_blocks(3)
        assert (await client.quota()).remaining == 0
        await poller.start()
        proofs = (await client.terms()).proofs
        await until_quota(client, proofs)
        poller.process.kill()
        await poller.start()
        await cluster.wait_blocks(3)
        await until_quota(client, proofs)


async def test_gateway__killed_after_acknowledging_and_during_submissions__every_proof_has_one_row(
    cluster: Cluster, grant: Grant
) -> None:
    account, gateway = await grant(3), cluster.role("gateway")
    async with AggregationClient(cluster.aggregation, account) as client:
        first, *rest = proofs_of(AggregationSystem.SP1, 3)
        accepted = await client.submit(first)
        burst = asyncio.create_task(submit_all(client, rest))
        await asyncio.sleep(0.2)
        gateway.process.kill()
        await gateway.start()
        receipts = [accepted, *await burst]
        assert len({receipt.id for receipt in receipts}) == 3
        assert (await client.quota()).remaining == 0
        assert await client.nonce() == 3
        final = await asyncio.gather(*(client.wait(receipt, timeout_s=WAIT_S) for receipt in receipts))
        assert [await client.verify_inclusion(receipt) for receipt in final] == [True] * 3


async def submit_all(client: AggregationClient, proofs: list[ProofFiles]) -> list[Receipt]:
    return [await client.submit(each, timeout_s=60) for each in proofs]


# Each with proofs in an order of its own: the very same leaves would be answered with the root that they have already.
@pytest.mark.parametrize(("state", "first"), [("pending", 0), ("proving", 1), ("submitted", 2)])
async def test_proof_aggregator__killed_when_proofs_are_in_a_state__goes_on_and_sends_each_root_once(
    cluster: Cluster, grant: Grant, system: AggregationSystem, state: str, first: int
) -> None:
    account, aggregator = await grant(2), cluster.role("proof-aggregator")
    async with AggregationClient(cluster.aggregation, account) as client:
        receipts = [await client.submit(each) for each in proofs_of(system, first + 2)[first:]]
        await until_state(client, receipts[0], state)
        aggregator.process.kill()
        await cluster.wait_blocks(2)
        await aggregator.start()
        final = [await client.wait(receipt, timeout_s=WAIT_S) for receipt in receipts]
        assert [await client.verify_inclusion(receipt) for receipt in final] == [True, True]
        for receipt in final:
            assert receipt.aggregation is not None
            assert await times_recorded(cluster, receipt.aggregation.root) == 1


async def until_state(client: AggregationClient, receipt: Receipt, state: str) -> None:
    """Waits until a proof is in a state, or further."""
    waiting = Deadline(WAIT_S)
    while not has_reached((await client.receipt(str(receipt.id))).state, state):
        await waiting.pause(f"never {state}")


async def times_recorded(cluster: Cluster, root: bytes) -> int:
    service = AggregationService(cluster.chain, cluster.deployment.aggregation_service)
    topics = [service.topic("AggregatedProofVerified"), root]
    head = await cluster.chain.block_number()
    return len(await cluster.chain.get_logs(service.address, topics, 0, head))
