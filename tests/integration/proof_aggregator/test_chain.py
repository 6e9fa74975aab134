"""What the chain does to an aggregation: other senders, reorganisations, high fees."""

from __future__ import annotations

import asyncio

from aligned.chain.fees import Caps
from aligned.chain.sender import TxSender
from aligned.proof_aggregator.blobs import expect
from tests.integration.proof_aggregator.conftest import MakeParts
from tests.integration.proof_aggregator.harness import (
    SP1,
    AggregationRig,
    Parts,
    account_nonce,
    aggregation_rig,
    prove,
)


async def send_from_another_account(parts: Parts, make: MakeParts, rig: AggregationRig) -> None:
    """Somebody else has the same proof."""
    (row,) = await parts.rows("SELECT * FROM aggregations")
    listed = await parts.rows("SELECT commitment FROM proofs ORDER BY leaf_index")
    expected = expect(SP1, [item["commitment"] for item in listed])
    data = parts.context.service.encode_verify(
        SP1, row["program_id"], row["public_values"], row["proof"], expected.openings
    )
    other: TxSender = make(rig).context.sender
    await other.send(
        f"theirs: {row['root'].hex()}", parts.context.service.address, data, blobs=expected.blobs
    )


async def test_reorg__mined_transaction_vanishes__the_same_one_is_mined_again(
    own_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(own_rig, final_blocks=3)
    await prove(parts)
    snapshot = own_rig.node.rpc("evm_snapshot")
    await parts.publish_until_settled()
    assert await parts.states() == ["mined"] * 3
    own_rig.node.rpc("evm_revert", snapshot)
    own_rig.node.rpc("anvil_dropAllTransactions")
    own_rig.node.mine(2)
    await parts.follow()
    assert (await parts.states(), await parts.states("aggregations")) == (["submitted"] * 3, ["submitted"])
    await parts.publish_until_settled()
    own_rig.node.mine(3)
    await parts.rows("UPDATE aggregations SET next_try_at = now() RETURNING id")
    await parts.follow()
    assert (await parts.states(), await parts.states("aggregations")) == (["final"] * 3, ["final"])
    assert (len(own_rig.roots()), account_nonce(parts, own_rig)) == (1, 1)
    (attempts,) = await parts.rows("SELECT count(DISTINCT nonce) AS nonces FROM tx_attempt")
    assert attempts["nonces"] == 1


async def test_reorg__mined_in_another_block__stays_mined_there(
    own_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(own_rig, final_blocks=5)
    await prove(parts)
    snapshot = own_rig.node.rpc("evm_snapshot")
    await parts.publish_until_settled()
    (before,) = await parts.rows("SELECT block_hash FROM aggregations")
    (raw,) = await parts.rows("SELECT raw FROM tx_attempt")
    own_rig.node.rpc("evm_revert", snapshot)
    own_rig.node.mine(1)
    own_rig.node.rpc("eth_sendRawTransaction", "0x" + raw["raw"].hex())
    await parts.follow()
    (after,) = await parts.rows("SELECT block_hash, state FROM aggregations")
    assert (after["state"], after["block_hash"] != before["block_hash"]) == ("mined", True)
    assert await parts.states() == ["mined"] * 3
    own_rig.node.mine(5)
    await parts.follow()
    assert (await parts.states("aggregations"), account_nonce(parts, own_rig)) == (["final"], 1)


async def test_finality__by_depth__not_before(shared_rig: AggregationRig, make: MakeParts) -> None:
    parts = make(shared_rig, final_blocks=3)
    await prove(parts)
    await parts.publish_until_settled()
    shared_rig.node.mine(2)
    await parts.follow()
    assert await parts.states("aggregations") == ["mined"]
    shared_rig.node.mine(1)
    await parts.rows("UPDATE aggregations SET next_try_at = now() RETURNING id")
    await parts.follow()
    assert await parts.states("aggregations") == ["final"]


async def test_finality__by_the_finalized_block(shared_rig: AggregationRig, make: MakeParts) -> None:
    parts = make(shared_rig, final_blocks=0)
    await prove(parts)
    await parts.publish_until_settled()
    await parts.follow()
    assert await parts.states("aggregations") == ["mined"]
    shared_rig.node.mine(100)
    await parts.rows("UPDATE aggregations SET next_try_at = now() RETURNING id")
    await parts.follow()
    assert await parts.states("aggregations") == ["final"]


async def test_publish__root_is_there_by_another_sender__adopted_and_not_paid_for(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(shared_rig)
    await prove(parts)
    await send_from_another_account(parts, make, shared_rig)
    await parts.publish_until_settled()
    (row,) = await parts.rows("SELECT * FROM aggregations")
    assert (row["state"], await parts.states(), account_nonce(parts, shared_rig)) == (
        "mined",
        ["mined"] * 3,
        0,
    )
    log = next(log for log in shared_rig.roots() if log["topics"][1] == "0x" + row["root"].hex())
    assert (row["tx_hash"].hex(), row["block_number"]) == (
        log["transactionHash"][2:],
        int(log["blockNumber"], 16),
    )


async def test_publish__fees_above_the_cap__waits_and_goes_on_when_they_fall(
    own_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(own_rig, caps=Caps.from_gwei(20, 100))
    await prove(parts)
    own_rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(60 * 10**9))
    own_rig.node.mine()
    await parts.publish()
    (row,) = await parts.rows("SELECT state, attempts, last_error FROM aggregations")
    assert (row["state"], row["attempts"], "fees_above_cap" in row["last_error"]) == ("proved", 0, True)
    assert 'blocked{system="sp1"} 1.0' in parts.context.metrics.render().decode()
    assert await parts.count("tx_attempt") == 0
    own_rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    own_rig.node.mine()
    await parts.publish_until_settled()
    assert await parts.states("aggregations") == ["mined"]
    assert 'blocked{system="sp1"} 0.0' in parts.context.metrics.render().decode()


async def test_publish__transaction_stuck__all_three_fees_are_raised_and_one_counts(make: MakeParts) -> None:
    with aggregation_rig() as rig:
        parts = make(rig, bump_after_s=0.05)
        await prove(parts)
        rig.node.rpc("evm_setAutomine", False)
        publishing = asyncio.create_task(parts.publish())
        async with asyncio.timeout(60):
            while await parts.count("tx_attempt") < 3:  # noqa: ASYNC110 - it looks at a database
                await asyncio.sleep(0.02)
        rig.node.mine()
        await publishing
        attempts = await parts.rows("SELECT * FROM tx_attempt ORDER BY number")
        for fee in ("max_fee_wei", "priority_fee_wei", "blob_fee_wei"):
            assert attempts[1][fee] >= 2 * attempts[0][fee] > 0
        rig.node.mine(3)
        assert (await parts.states("aggregations"), len(rig.roots())) == (["mined"], 1)
        assert account_nonce(parts, rig) == 1
