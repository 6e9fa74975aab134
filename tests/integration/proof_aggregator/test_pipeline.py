"""From the queue to a final root, over the real contracts."""

from __future__ import annotations

import pytest
from aligned_native import keccak256

from aligned.core.aggregation import MAX_LEAVES, AggregationSystem, verify_inclusion
from tests.integration.proof_aggregator.engine import NOT_PROVED
from tests.integration.proof_aggregator.harness import PROGRAMS, RISC0, SP1, AggregationRig, Parts


@pytest.mark.parametrize("system", [SP1, RISC0])
async def test_pipeline__proofs_of_a_system__final_with_paths_that_the_contract_takes(
    parts: Parts, shared_rig: AggregationRig, system: AggregationSystem
) -> None:
    await parts.add(6, system=system)
    await parts.bring_on_chain(system)
    assert await parts.states() == ["mined"] * 6
    shared_rig.node.mine(2)
    await parts.follow()
    assert (await parts.states(), await parts.states("aggregations")) == (["final"] * 6, ["final"])
    (aggregation,) = await parts.rows("SELECT * FROM aggregations")
    assert (aggregation["level"], aggregation["not_proved"]) == ("native", NOT_PROVED)
    record = await parts.context.service.aggregated_root(aggregation["root"])
    assert record is not None
    assert (record.system, record.leaf_count, record.program_id) == (system, 6, PROGRAMS[system])
    assert record.block_number == aggregation["block_number"]
    proofs = await parts.rows("SELECT * FROM proofs ORDER BY leaf_index")
    assert [proof["leaf_index"] for proof in proofs] == list(range(6))
    for index, proof in enumerate(proofs):
        assert verify_inclusion(aggregation["root"], 6, proof["leaf"], index, proof["path"])
        assert await parts.context.service.verify_proof_inclusion(
            aggregation["root"], system, proof["program_id"], proof["public_inputs"], index, proof["path"]
        )
    history = await parts.rows(
        "SELECT state FROM proof_history WHERE proof_id = %s ORDER BY number", proofs[0]["id"]
    )
    assert [row["state"] for row in history] == ["pending", "proving", "submitted", "mined", "final"]


async def test_plan__full_chunks__are_proved_before_any_trigger(parts: Parts) -> None:
    await parts.add(9)
    await parts.plan(min_proofs=16)
    await parts.prove_chunks()
    await parts.plan(min_proofs=16)
    assert await parts.states() == ["proving"] * 8 + ["pending"]
    assert (parts.engine.jobs, await parts.states("chunks")) == ([4, 4], ["proved", "proved"])
    assert await parts.count("aggregations") == 0


async def test_plan__more_than_one_aggregation_takes__the_rest_is_next(parts: Parts) -> None:
    await parts.add(11)
    await parts.plan(max_proofs=8)
    await parts.prove_chunks()
    await parts.plan(max_proofs=8)
    counts = [
        row["leaf_count"] for row in await parts.rows("SELECT leaf_count FROM aggregations ORDER BY id")
    ]
    assert counts == [8, 3]


async def test_plan__chunk_from_before_a_lower_limit__is_joined_alone(parts: Parts) -> None:
    await parts.add(8)
    await parts.plan(min_proofs=16)
    await parts.prove_chunks()
    await parts.plan(max_proofs=2, chunk_proofs=2)
    counts = [
        row["leaf_count"] for row in await parts.rows("SELECT leaf_count FROM aggregations ORDER BY id")
    ]
    assert counts == [4, 4]


async def test_plan__first_in_first_out(parts: Parts) -> None:
    ids = await parts.add(7)
    await parts.plan()
    found = await parts.rows("SELECT id FROM proofs ORDER BY chunk_id, chunk_position")
    assert [row["id"] for row in found] == ids


async def test_plan__level_changed__chunks_are_proved_anew(parts: Parts) -> None:
    await parts.add(4)
    await parts.plan(min_proofs=16)
    await parts.prove_chunks()
    async with parts.db.transaction() as conn:
        await conn.execute("UPDATE chunks SET level = 'execute'")
    await parts.planner().relevel()
    assert await parts.states("chunks") == ["proving"]


async def test_publish__two_aggregations__each_paid_for_once(
    parts: Parts, shared_rig: AggregationRig
) -> None:
    before = len(shared_rig.roots())
    await parts.add(3)
    await parts.bring_on_chain()
    await parts.add(3)
    await parts.bring_on_chain()
    account = "0x" + parts.context.sender.address.hex()
    assert (len(shared_rig.roots()) - before, shared_rig.node.nonce(account)) == (2, 2)
    metrics = parts.context.metrics.render().decode()
    assert 'aligned_proof_aggregator_blob_gas_total{system="sp1"} 262144.0' in metrics
    assert 'aligned_proof_aggregator_run_proofs_count{system="sp1"} 2.0' in metrics


async def test_pipeline__several_blobs__all_bound(parts: Parts) -> None:
    count = 4_000
    async with parts.db.transaction() as conn:
        await conn.execute(
            "INSERT INTO proofs (source, batch_root, batch_index, system, program_id, commitment, leaf, proof_hash,"
            " key_hash, public_input_hash, proof_object, program_key, public_inputs, size_bytes, state)"
            " SELECT 'batch', sha256('many'), i, 1, sha256(i::text::bytea), sha256(i::text::bytea),"
            " sha256(i::text::bytea), %s, sha256(''), sha256(''), 'one', 'k', 'p', 4, 'pending'"
            " FROM generate_series(1, %s) i",
            (keccak256(b"good"), count),
        )
    await parts.context.store.put("one", b"good")
    for _ in range(2):
        await parts.plan(chunk_proofs=count, max_proofs=MAX_LEAVES)
        await parts.prove_chunks()
    await parts.plan(chunk_proofs=count, max_proofs=MAX_LEAVES)
    await parts.prove_final()
    await parts.publish_until_settled()
    (aggregation,) = await parts.rows("SELECT * FROM aggregations")
    record = await parts.context.service.aggregated_root(aggregation["root"])
    assert record is not None
    assert (record.leaf_count, record.blobs, await parts.count("blobs")) == (count, 2, 2)
    assert await parts.count("proofs", "state = 'mined' AND octet_length(path) = 32 * 12") == count


async def test_repeated_root__same_proof_again__has_the_first_ones_path(parts: Parts) -> None:
    (first,) = await parts.add(1)
    await parts.bring_on_chain()
    async with parts.db.transaction() as conn:
        await conn.execute(
            "INSERT INTO proofs (source, batch_root, batch_index, system, program_id, commitment, leaf, proof_hash,"
            " key_hash, public_input_hash, proof_object, program_key, public_inputs, size_bytes, state)"
            " SELECT source, sha256('other'), 0, system, program_id, commitment, leaf, proof_hash, key_hash,"
            " public_input_hash, proof_object, program_key, public_inputs, size_bytes, 'pending'"
            " FROM proofs WHERE id = %s",
            (first,),
        )
    await parts.bring_on_chain()
    one, other = await parts.rows(
        "SELECT aggregation_id, leaf_index, path, state FROM proofs ORDER BY number"
    )
    assert (one == other, one["state"], await parts.count("aggregations")) == (True, "mined", 1)


async def test_clean__final__files_objects_and_blobs_are_gone(
    parts: Parts, shared_rig: AggregationRig
) -> None:
    ids = await parts.add(2)
    await parts.bring_on_chain()
    (chunk,) = await parts.rows("SELECT result FROM chunks")
    await parts.clean()
    assert await parts.context.store.get(ids[0].hex, 100)
    shared_rig.node.mine(2)
    await parts.follow()
    await parts.clean()
    (request,) = await parts.rows("SELECT blobs, blob_hashes FROM tx_request")
    assert (request["blobs"], len(request["blob_hashes"])) == (b"", 32)
    assert (await parts.rows("SELECT result FROM chunks"))[0]["result"] == ""
    assert chunk["result"]
    for proof_id in ids:
        assert not (parts.context.input_dir.parent / "store" / proof_id.hex).exists()
