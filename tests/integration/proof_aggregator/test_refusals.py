"""What must not be sent, what the contract refuses, and what it takes back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aligned.chain.client import ChainClient
from aligned.core.errors import DependencyError
from aligned.proof_aggregator.revocations import Revocations
from aligned.proof_aggregator.status import Status
from tests.integration.proof_aggregator.conftest import MakeParts
from tests.integration.proof_aggregator.harness import (
    PROGRAMS,
    SP1,
    AggregationRig,
    Parts,
    account_nonce,
    prove,
)


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
    await parts.publish_until_settled()
    assert (await parts.states("aggregations"), account_nonce(parts, shared_rig)) == (["mined"], 1)


async def test_publish__verifier_refuses__nothing_is_sent_and_the_proofs_are_free_again(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(shared_rig)
    await prove(parts)
    await parts.rows("UPDATE aggregations SET proof = %s RETURNING id", b"\1" * 65)
    await parts.publish_until_settled()
    (row,) = await parts.rows("SELECT state, last_error FROM aggregations")
    assert (row["state"], row["last_error"].startswith("refused")) == ("failed", True)
    assert (await parts.states(), await parts.states("chunks")) == (["proving"] * 3, ["proved"])
    assert account_nonce(parts, shared_rig) == 0
    await parts.plan()
    assert await parts.count("aggregations") == 1  # not at once again
    await parts.rows("UPDATE aggregations SET updated_at = now() - interval '1 hour' RETURNING id")
    await parts.plan()
    await parts.prove_final()
    await parts.publish_until_settled()
    assert await parts.states("aggregations") == ["failed", "mined"]


async def test_publish__rows_do_not_follow_from_the_commitments__nothing_is_sent(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(shared_rig)
    await prove(parts)
    results = [Path(row["result"]) for row in await parts.rows("SELECT result FROM chunks")]
    assert all(result.is_dir() for result in results)
    await parts.rows("UPDATE proofs SET commitment = %s WHERE leaf_index = 1 RETURNING id", b"\7" * 32)
    await parts.publish_until_settled()
    assert (await parts.states("aggregations"), account_nonce(parts, shared_rig)) == (["failed"], 0)
    # Else an engine would find them, and the chunks would be proved with the same outcome for ever.
    assert not any(result.exists() for result in results)


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
    await parts.publish_until_settled()
    await prove(parts)
    own_rig.node.mine(2)
    await parts.follow()
    await parts.publish_until_settled()
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
    await parts.clean()
    assert not any((parts.context.input_dir.parent / "store").iterdir())


async def test_ready__program_not_allowed_or_no_money__says_so(
    own_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(own_rig)
    status = Status(parts.context, [Revocations(parts.context)], 60, 10**18)
    assert (await status.ready())["levels"] == {"sp1": "native", "risc0": "native"}
    # Every reader of events counts, and none has read anything yet.
    with pytest.raises(DependencyError, match="cursor_stuck"):
        await Status(parts.context, [Revocations(parts.context)], 0, 10**18).ready()
    own_rig.as_admin("disallowProgram", PROGRAMS[SP1])
    with pytest.raises(DependencyError, match="program_not_allowed"):
        await status.ready()
    poor = Status(parts.context, [Revocations(parts.context)], 60, 10**21)
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
    await parts.publish_until_settled()
    assert (await parts.states("aggregations"), account_nonce(parts, shared_rig)) == (["mined"], 1)
