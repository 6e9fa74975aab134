"""Parts that die and come back: nothing that was acknowledged is lost, nothing is done twice."""

from __future__ import annotations

import asyncio

import pytest

from aligned.core.types import VerificationData
from aligned.devnet.cluster import Cluster
from aligned.sdk import AlignedClient, Receipt
from aligned.sdk.models import State
from tests.e2e.conftest import WAIT_S

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def submit(client: AlignedClient, data: VerificationData, count: int = 1) -> list[Receipt]:
    return [result.unwrap() for result in await client.submit([data] * count)]


async def states(client: AlignedClient, receipts: list[Receipt]) -> list[State]:
    inclusions = await asyncio.gather(*(client.wait(receipt, timeout_s=WAIT_S) for receipt in receipts))
    return [inclusion.state for inclusion in inclusions]


async def charged(client: AlignedClient) -> int:
    """How many proofs the contract has used nonces for."""
    return (await client.balance()).nonce


async def test_batcher__killed_after_acknowledging__restarted_one_posts_everything_once(
    cluster: Cluster, client: AlignedClient, small_proof: VerificationData
) -> None:
    receipts = await submit(client, small_proof, count=5)
    batcher = cluster.role("batcher")
    batcher.process.kill()
    await batcher.start()
    assert await states(client, receipts) == [State.VERIFIED] * 5
    assert await charged(client) == 5
    assert await client.nonce() == 5


async def test_batcher__killed_in_the_middle_of_a_burst__every_proof_has_its_receipt_and_is_charged_once(
    cluster: Cluster, client: AlignedClient, small_proof: VerificationData
) -> None:
    batcher = cluster.role("batcher")
    burst = asyncio.create_task(client.submit([small_proof] * 40, timeout_s=WAIT_S))
    while await client.nonce() < 3:  # noqa: ASYNC110 the batcher is asked, it tells nothing
        await asyncio.sleep(0.02)
    batcher.process.kill()
    await batcher.start()
    results = await burst
    receipts = [result.unwrap() for result in results]
    assert [receipt.nonce for receipt in receipts] == list(range(40))
    assert await states(client, receipts) == [State.VERIFIED] * 40
    assert await charged(client) == 40


async def test_aggregator__down_while_a_batch_is_posted__answers_after_its_restart(
    cluster: Cluster, client: AlignedClient, small_proof: VerificationData
) -> None:
    aggregator = cluster.role("aggregator")
    aggregator.process.kill()
    receipts = await submit(client, small_proof)
    await client.wait(receipts[0], until="posted", timeout_s=WAIT_S)
    await cluster.wait_blocks(3)
    await aggregator.start()
    assert await states(client, receipts) == [State.VERIFIED]


async def test_operator__second_one_down__no_quorum_until_it_is_back_and_has_caught_up(
    cluster: Cluster, client: AlignedClient, small_proof: VerificationData
) -> None:
    operator = cluster.role("operator-1")
    operator.process.kill()
    receipts = await submit(client, small_proof)
    posted = await client.wait(receipts[0], until="posted", timeout_s=WAIT_S)
    await cluster.wait_blocks(6)
    assert not await client.verify_onchain(posted.verification_data())
    await operator.start()
    assert await states(client, receipts) == [State.VERIFIED]


async def test_cluster__stopped_role__is_no_longer_running_and_has_left_a_log(cluster: Cluster) -> None:
    operator = cluster.role("operator-2")
    before = operator.process.pid
    await asyncio.to_thread(operator.process.stop)
    assert operator.process.pid is None
    assert operator.process.log_path.stat().st_size > 0
    await operator.start()
    assert operator.process.pid not in (None, before)
