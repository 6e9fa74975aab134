"""Something else happens between any two awaits of a step of the aggregator."""

from __future__ import annotations

from contextlib import suppress

import pytest

from aligned.chain.errors import TxReverted
from tests.integration.proof_aggregator.conftest import MakeParts
from tests.integration.proof_aggregator.harness import AggregationRig, Parts
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
from tests.integration.proof_aggregator.test_chain import send_from_another_account
from tests.outside.awaits import Run, act_at, at_each_await

pytestmark = pytest.mark.usefixtures("work_in_the_step_itself")


async def test_between__another_planner_runs__one_chunk_and_one_aggregation(parts: Parts) -> None:
    async def one(number: int) -> Run:
        await begin(parts)
        return await act_at(lambda: planner_step(parts), number, parts.plan)

    async def check(_number: int, run: Run) -> None:
        assert run.error is None
        await parts.prove_chunks()
        await parts.plan()
        await each_in_one_chunk(parts)
        assert (await parts.count("chunks"), await parts.count("aggregations")) == (1, 1)

    # Most of it runs under a lock, for which the other one waits until it is given up.
    assert await at_each_await(one, check, every=4) > 1


async def test_between__another_planner_joins_the_same_chunks__one_aggregation(parts: Parts) -> None:
    async def one(number: int) -> Run:
        await begin(parts)
        await parts.plan()
        await parts.prove_chunks()
        return await act_at(lambda: planner_step(parts), number, parts.plan)

    async def check(_number: int, run: Run) -> None:
        assert run.error is None
        await parts.plan()
        assert (await parts.states("chunks"), await parts.count("aggregations")) == (["joined"], 1)

    assert await at_each_await(one, check, every=4) > 1


async def test_between__another_aggregator_takes_the_chunk_over__proved_once_in_the_rows(
    parts: Parts,
) -> None:
    async def one(number: int) -> Run:
        await begin(parts)
        await parts.plan()

        async def taken_over() -> None:
            await leases_end(parts)
            await chunk_step(parts)

        return await act_at(lambda: chunk_step(parts), number, taken_over)

    async def check(_number: int, run: Run) -> None:
        assert run.error is None
        await leases_end(parts)
        await parts.prove_chunks()
        assert (await parts.states("chunks"), await parts.states()) == (["proved"], ["proving"] * 2)
        await each_in_one_chunk(parts)

    assert await at_each_await(one, check, every=2) > 3


async def test_between__a_stored_proof_is_lost__said_so_or_proved_before(parts: Parts) -> None:
    async def one(number: int) -> Run:
        await begin(parts)
        await parts.plan()
        (row,) = await parts.rows("SELECT proof_object FROM proofs ORDER BY number DESC LIMIT 1")

        async def lost() -> None:
            await parts.context.store.put(row["proof_object"], b"other")

        return await act_at(lambda: chunk_step(parts), number, lost)

    async def check(_number: int, run: Run) -> None:
        assert run.error is None
        await leases_end(parts)
        await parts.prove_chunks()
        codes = [
            row["reject_code"] for row in await parts.rows("SELECT reject_code FROM proofs ORDER BY number")
        ]
        assert codes in ([None, "proof_lost"], [None, None])
        assert await parts.count("chunks", "state = 'proved'") == 1

    assert await at_each_await(one, check, every=2) > 3


async def test_between__another_aggregator_takes_the_final_proof_over__one_result(parts: Parts) -> None:
    async def one(number: int) -> Run:
        await begin_joined(parts)

        async def taken_over() -> None:
            await leases_end(parts)
            await final_step(parts)

        return await act_at(lambda: final_step(parts), number, taken_over)

    async def check(_number: int, run: Run) -> None:
        assert run.error is None
        await leases_end(parts)
        await parts.prove_final()
        assert (await parts.states("aggregations"), await parts.count("blobs")) == (["proved"], 1)

    assert await at_each_await(one, check, every=5) > 2


@pytest.mark.usefixtures("slow_actions")
async def test_between__somebody_records_the_root__adopted_and_there_once(
    shared_rig: AggregationRig, make: MakeParts, parts: Parts
) -> None:
    async def one(number: int) -> Run:
        await begin_proved(parts)

        async def recorded() -> None:
            with suppress(TxReverted):  # ours was first
                await send_from_another_account(parts, make, shared_rig)

        return await act_at(lambda: publish_step(parts), number, recorded)

    async def check(_number: int, run: Run) -> None:
        assert (run.error, run.blocked) == (None, False)
        await leases_end(parts)
        await parts.publish_until_settled()
        (row,) = await parts.rows("SELECT root, tx_hash, state FROM aggregations")
        logs = [log for log in shared_rig.roots() if log["topics"][1] == "0x" + row["root"].hex()]
        assert (row["state"], len(logs)) == ("mined", 1)
        assert logs[0]["transactionHash"] == "0x" + row["tx_hash"].hex()

    assert await at_each_await(one, check, every=30) > 1


@pytest.mark.usefixtures("slow_actions")
async def test_between__the_root_is_recorded_and_revoked__never_final_and_the_proofs_are_not_lost(
    shared_rig: AggregationRig, make: MakeParts, parts: Parts
) -> None:
    async def one(number: int) -> Run:
        await begin_proved(parts)
        (row,) = await parts.rows("SELECT root FROM aggregations")

        async def revoked() -> None:
            with suppress(TxReverted):  # ours was first
                await send_from_another_account(parts, make, shared_rig)
            shared_rig.as_admin("revokeRoots", [row["root"]])

        return await act_at(lambda: publish_step(parts), number, revoked)

    async def check(_number: int, run: Run) -> None:
        assert run.error is None
        assert not run.blocked
        if not run.reached:
            return
        await leases_end(parts)
        await parts.publish_until_settled()
        shared_rig.node.mine(3)
        await leases_end(parts)
        await parts.follow()
        assert await parts.states("aggregations") == ["failed"]
        # Sent for nothing and free again, or revoked after they were there and rejected with their quota back.
        assert await parts.states() in (["proving"] * 2, ["rejected"] * 2)
        assert await parts.count("aggregations", "revoked") == 1

    assert await at_each_await(one, check, every=30) > 1
