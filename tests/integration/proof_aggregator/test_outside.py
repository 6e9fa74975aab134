"""Every step of the aggregator is cancelled at each of its awaits."""

from __future__ import annotations

import pytest

from aligned.proof_aggregator.follower import Follower
from tests.integration.proof_aggregator.harness import AggregationRig, Parts, account_nonce
from tests.integration.proof_aggregator.stages import (
    begin,
    begin_joined,
    begin_proved,
    chunk_step,
    each_in_one_chunk,
    final_step,
    leases_end,
    planner_step,
    publish_step,
)
from tests.outside.awaits import Run, at_each_await, cancel_at

pytestmark = pytest.mark.usefixtures("work_in_the_step_itself")


async def test_cancelled__plan_a_chunk__all_or_nothing(parts: Parts) -> None:
    async def one(number: int) -> Run:
        await begin(parts)
        return await cancel_at(lambda: planner_step(parts), number)

    async def check(_number: int, _run: Run) -> None:
        assert await parts.count("chunks") in {0, 1}
        await parts.plan()
        await each_in_one_chunk(parts)
        assert await parts.count("chunks") == 1

    assert await at_each_await(one, check) > 3


async def test_cancelled__plan_an_aggregation__one_with_all_its_chunks(parts: Parts) -> None:
    async def one(number: int) -> Run:
        await begin(parts)
        await parts.plan()
        await parts.prove_chunks()
        return await cancel_at(lambda: planner_step(parts), number)

    async def check(_number: int, _run: Run) -> None:
        await parts.plan()
        assert await parts.states("chunks") == ["joined"]
        assert await parts.count("aggregations", "leaf_count = 2 AND fillers = 0") == 1
        assert await parts.count("proofs", "aggregation_id IS NOT NULL AND leaf_index IS NOT NULL") == 2

    assert await at_each_await(one, check, every=3) > 3


async def test_cancelled__prove_a_chunk__proved_by_the_next_and_nothing_left_over(parts: Parts) -> None:
    async def one(number: int) -> Run:
        await begin(parts)
        await parts.plan()
        return await cancel_at(lambda: chunk_step(parts), number)

    async def check(_number: int, _run: Run) -> None:
        await leases_end(parts)
        await parts.prove_chunks()
        assert await parts.states() == ["proving"] * 2
        assert await parts.count("chunks", "state = 'proved' AND attempts = 0") == 1
        # What a dead holder left of the inputs goes with the next one's; a cancelled one leaves nothing at the end.
        assert not list(parts.context.input_dir.glob("*"))

    assert await at_each_await(one, check) > 10


async def test_cancelled__prove_an_aggregation__proved_by_the_next(parts: Parts) -> None:
    async def one(number: int) -> Run:
        await begin_joined(parts)
        return await cancel_at(lambda: final_step(parts), number)

    async def check(_number: int, _run: Run) -> None:
        await leases_end(parts)
        await parts.prove_final()
        assert await parts.count("aggregations", "state = 'proved' AND attempts = 0") == 1
        assert (await parts.count("blobs"), await parts.states("chunks")) == (1, ["joined"])

    assert await at_each_await(one, check, every=5) > 2


async def test_cancelled__publish__one_transaction_whatever_happened(
    shared_rig: AggregationRig, parts: Parts
) -> None:
    async def one(number: int) -> Run:
        await begin_proved(parts)
        return await cancel_at(lambda: publish_step(parts), number)

    async def check(_number: int, _run: Run) -> None:
        before = await parts.count("tx_request")
        await leases_end(parts)
        await parts.publish_until_settled()
        assert (await parts.states("aggregations"), await parts.states()) == (["mined"], ["mined"] * 2)
        assert await parts.count("tx_request") <= before + 1
        assert account_nonce(parts, shared_rig) == await parts.count("tx_request")

    assert await at_each_await(one, check, every=25) > 1


async def test_cancelled__follow__final_in_the_end(shared_rig: AggregationRig, parts: Parts) -> None:
    await begin_proved(parts)
    await parts.publish_until_settled()
    shared_rig.node.mine(3)

    async def one(number: int) -> Run:
        await parts.rows("UPDATE aggregations SET state = 'mined' RETURNING id")
        await parts.rows("UPDATE proofs SET state = 'mined' RETURNING id")
        await leases_end(parts)
        return await cancel_at(Follower(parts.context).step, number)

    async def check(_number: int, _run: Run) -> None:
        found = {*await parts.states("aggregations"), *await parts.states()}
        assert found in ({"mined"}, {"final"})
        if found == {"mined"}:
            await leases_end(parts)
            await parts.follow()
        assert (await parts.states("aggregations"), await parts.states()) == (["final"], ["final"] * 2)

    assert await at_each_await(one, check) > 3
