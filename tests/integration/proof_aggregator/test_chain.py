"""What the chain does to an aggregation: other senders, reorganisations, high fees, revocations, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from aligned.chain.client import ChainClient
from aligned.chain.fees import Caps
from aligned.chain.sender import TxSender
from aligned.core.errors import DependencyError
from aligned.proof_aggregator.blobs import expect
from aligned.proof_aggregator.revocations import Revocations
from aligned.proof_aggregator.status import Status
from tests.integration.proof_aggregator.conftest import MakeParts
from tests.integration.proof_aggregator.harness import PROGRAMS, SP1, AggregationRig, Parts, aggregation_rig


@pytest.fixture
def own_rig() -> Iterator[AggregationRig]:
    """A chain for one test, which turns it back."""
    with aggregation_rig() as rig:
        yield rig


def account_nonce(parts: Parts, rig: AggregationRig) -> int:
    return rig.node.nonce("0x" + parts.context.sender.address.hex())


async def prove(parts: Parts, number: int = 3) -> None:
    """Up to proved."""
    await parts.add(number)
    await parts.plan()
    await parts.prove_chunks()
    await parts.plan()
    await parts.prove_final()


async def send_from_another_account(parts: Parts, make: MakeParts, rig: AggregationRig) -> None:
    """Somebody else has the same proof."""
    (row,) = await parts.rows("SELECT * FROM aggregations")
    listed = await parts.rows("SELECT commitment FROM proofs ORDER BY leaf_index")
    expected = expect(SP1, [item["commitment"] for item in listed])
    data = parts.context.service.encode_verify(
        SP1, row["program_id"], row["public_values"], row["proof"], expected.openings
    )
    other: TxSender = make(rig).context.sender
    await other.send("theirs", parts.context.service.address, data, blobs=expected.blobs)


async def test_reorg__mined_transaction_vanishes__the_same_one_is_mined_again(
    own_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(own_rig, final_blocks=3)
    await prove(parts)
    snapshot = own_rig.node.rpc("evm_snapshot")
    await parts.publish()
    assert await parts.states() == ["mined"] * 3
    own_rig.node.rpc("evm_revert", snapshot)
    own_rig.node.rpc("anvil_dropAllTransactions")
    own_rig.node.mine(2)
    await parts.follow()
    assert (await parts.states(), await parts.states("aggregations")) == (["submitted"] * 3, ["submitted"])
    await parts.publish()
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
    await parts.publish()
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
    await parts.publish()
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
    await parts.publish()
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
    await parts.publish()
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
    assert (row["state"], row["attempts"], "fees_above_cap" in row["last_error"]) == ("submitted", 0, True)
    assert 'blocked{system="sp1"} 1.0' in parts.context.metrics.render().decode()
    assert await parts.count("tx_attempt") == 0
    own_rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    own_rig.node.mine()
    await parts.rows("UPDATE aggregations SET next_try_at = now() RETURNING id")
    await parts.publish()
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


async def test_publish__contract_paused__waits_and_nothing_is_lost(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(shared_rig)
    await prove(parts)
    shared_rig.as_admin("setVerificationPaused", True)
    try:
        await parts.publish()
        (row,) = await parts.rows("SELECT state, last_error FROM aggregations")
        assert (row["state"], "VerificationPaused" in row["last_error"]) == ("submitted", True)
        assert await parts.states() == ["submitted"] * 3
    finally:
        shared_rig.as_admin("setVerificationPaused", False)
    await parts.rows("UPDATE aggregations SET next_try_at = now() RETURNING id")
    await parts.publish()
    assert (await parts.states("aggregations"), account_nonce(parts, shared_rig)) == (["mined"], 1)


async def test_publish__verifier_refuses__nothing_is_sent_and_the_proofs_are_free_again(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(shared_rig)
    await prove(parts)
    await parts.rows("UPDATE aggregations SET proof = %s RETURNING id", b"\1" * 65)
    await parts.publish()
    (row,) = await parts.rows("SELECT state, last_error FROM aggregations")
    assert (row["state"], row["last_error"].startswith("refused")) == ("failed", True)
    assert (await parts.states(), await parts.states("chunks")) == (["proving"] * 3, ["proved"])
    assert account_nonce(parts, shared_rig) == 0
    await parts.plan()
    assert await parts.count("aggregations") == 1  # not at once again
    await parts.rows("UPDATE aggregations SET updated_at = now() - interval '1 hour' RETURNING id")
    await parts.plan()
    await parts.prove_final()
    await parts.publish()
    assert await parts.states("aggregations") == ["failed", "mined"]


async def test_publish__rows_do_not_follow_from_the_commitments__nothing_is_sent(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(shared_rig)
    await prove(parts)
    await parts.rows("UPDATE proofs SET commitment = %s WHERE leaf_index = 1 RETURNING id", b"\7" * 32)
    await parts.publish()
    assert (await parts.states("aggregations"), account_nonce(parts, shared_rig)) == (["failed"], 0)


@pytest.mark.parametrize("place", [0, 40, 70, 100, 127])
async def test_final_proof__engine_lies_about_a_byte__is_not_taken(parts: Parts, place: int) -> None:
    await parts.add(2)
    await parts.plan()
    await parts.prove_chunks()
    await parts.plan()
    parts.engine.lies = lambda values: values[:place] + bytes([values[place] ^ 1]) + values[place + 1 :]
    await parts.prove_final()
    (row,) = await parts.rows("SELECT state, proof FROM aggregations")
    assert (row["state"], row["proof"]) == ("proving", None)
    await parts.rows("UPDATE aggregations SET next_try_at = now() RETURNING id")
    await parts.prove_final()
    assert (await parts.states("aggregations"), await parts.states("chunks")) == (["failed"], ["proving"])


async def test_final_proof__result_of_a_chunk_is_gone__the_chunk_is_proved_anew(parts: Parts) -> None:
    await parts.add(6)
    await parts.plan()
    await parts.prove_chunks()
    await parts.plan()
    await parts.rows("UPDATE chunks SET result = '/nowhere' WHERE position = 1 RETURNING id")
    await parts.prove_final()
    assert await parts.states("aggregations") == ["failed"]
    assert await parts.states("chunks") == ["proved", "proving"]
    await parts.prove_chunks()
    await parts.rows("UPDATE aggregations SET updated_at = now() - interval '1 hour' RETURNING id")
    await parts.plan()
    await parts.prove_final()
    assert await parts.states("aggregations") == ["failed", "proved"]


async def test_revoked__before_and_after_final__proofs_are_rejected_and_said_so(
    own_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(own_rig, final_blocks=2)
    await prove(parts)
    await parts.publish()
    await prove(parts)
    own_rig.node.mine(2)
    await parts.follow()
    await parts.publish()
    roots = [row["root"] for row in await parts.rows("SELECT root FROM aggregations ORDER BY id")]
    assert await parts.states("aggregations") == ["final", "mined"]
    own_rig.as_admin("revokeRoots", roots)
    await parts.follow()
    assert await parts.states("aggregations") == ["final", "failed"]
    own_rig.node.mine(3)
    stop = asyncio.Event()
    following = asyncio.create_task(Revocations(parts.context).run(stop, 0.02))
    async with asyncio.timeout(60):
        while await parts.count("aggregations", "state = 'failed'") < 2:  # noqa: ASYNC110 - it looks at a database
            await asyncio.sleep(0.02)
    stop.set()
    await following
    assert await parts.states() == ["rejected"] * 6
    assert {row["reject_code"] for row in await parts.rows("SELECT reject_code FROM proofs")} == {
        "root_revoked"
    }
    assert "revoked_roots_total 2.0" in parts.context.metrics.render().decode()


async def test_ready__program_not_allowed_or_no_money__says_so(
    own_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(own_rig)
    status = Status(parts.context, Revocations(parts.context), 60, 10**18)
    assert (await status.ready())["levels"] == {"sp1": "native", "risc0": "native"}
    own_rig.as_admin("disallowProgram", PROGRAMS[SP1])
    with pytest.raises(DependencyError, match="program_not_allowed"):
        await status.ready()
    poor = Status(parts.context, Revocations(parts.context), 60, 10**21)
    with pytest.raises(DependencyError, match="insufficient_funds"):
        await poor.ready()


async def test_publish__node_away__waits_and_goes_on(
    shared_rig: AggregationRig, make: MakeParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = make(shared_rig)
    await prove(parts)

    async def down(*_: object, **__: object) -> bytes:
        raise DependencyError("chain_unavailable", "down")

    with monkeypatch.context() as patch:
        patch.setattr(ChainClient, "eth_call", down)
        await parts.publish()
    (row,) = await parts.rows("SELECT state, attempts FROM aggregations")
    assert (row["state"], row["attempts"]) == ("submitted", 1)
    await parts.rows("UPDATE aggregations SET next_try_at = now() RETURNING id")
    await parts.publish()
    assert (await parts.states("aggregations"), account_nonce(parts, shared_rig)) == (["mined"], 1)
