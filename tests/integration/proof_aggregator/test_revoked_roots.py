"""A revoked root stays on chain for ever: it never counts as recorded, and the same proofs go on chain with another."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError
from aligned.proof_aggregator.records import RootRevoked, find_record, is_recorded
from aligned.storage.aggregation import archive
from tests.integration.proof_aggregator.conftest import MakeParts
from tests.integration.proof_aggregator.harness import SP1, AggregationRig, Parts, account_nonce, prove
from tests.integration.proof_aggregator.test_chain import send_from_another_account

_AGAIN = (
    "INSERT INTO proofs (source, batch_root, batch_index, system, program_id, commitment, leaf, proof_hash,"
    " key_hash, public_input_hash, proof_object, program_key, public_inputs, size_bytes, state)"
    " SELECT source, sha256(random()::text::bytea), 1, system, program_id, commitment, leaf, proof_hash, key_hash,"
    " public_input_hash, proof_object, program_key, public_inputs, size_bytes, 'pending'"
    " FROM proofs WHERE state = 'rejected' AND batch_index = 0 ORDER BY number RETURNING id"
)
_SEEN = "SELECT state FROM aggregation_history WHERE aggregation_id = %s ORDER BY number"


async def revoke(parts: Parts, rig: AggregationRig) -> bytes:
    """The newest root on chain is revoked, and the aggregator has seen it."""
    (row,) = await parts.rows("SELECT root FROM aggregations WHERE state = 'mined' ORDER BY id DESC LIMIT 1")
    rig.as_admin("revokeRoots", [row["root"]])
    await parts.rows("UPDATE aggregations SET next_try_at = now() RETURNING id")
    await parts.follow()
    return bytes(row["root"])


async def send_again(parts: Parts) -> list[UUID]:
    """The users send their rejected proofs again."""
    found = [row["id"] for row in await parts.rows(_AGAIN)]
    for proof_id, content in zip(found, [b"good"] * len(found), strict=True):
        await parts.rows(
            "UPDATE proofs SET proof_object = %s WHERE id = %s RETURNING id", proof_id.hex, proof_id
        )
        (row,) = await parts.rows("SELECT public_inputs FROM proofs WHERE id = %s", proof_id)
        await parts.context.store.put(proof_id.hex, content + row["public_inputs"])
    return found


async def newest(parts: Parts) -> dict[str, Any]:
    (row,) = await parts.rows("SELECT * FROM aggregations ORDER BY id DESC LIMIT 1")
    return row


async def are_included(parts: Parts, proof_ids: list[UUID]) -> bool:
    """Whether the contract finds each of them under its root."""
    rows = await parts.rows(
        "SELECT p.*, a.root FROM proofs p JOIN aggregations a ON p.aggregation_id = a.id WHERE p.id = ANY(%s)",
        proof_ids,
    )
    asked = [
        await parts.context.service.verify_proof_inclusion(
            row["root"], SP1, row["program_id"], row["public_inputs"], row["leaf_index"], row["path"]
        )
        for row in rows
    ]
    return len(asked) == len(proof_ids) and all(asked)


@pytest.mark.parametrize(("count", "leaves"), [(1, 2), (4, 8), (5, 6)])
async def test_revoked__same_proofs_again__another_root_by_a_filler_and_included(
    shared_rig: AggregationRig, make: MakeParts, count: int, leaves: int
) -> None:
    """A full chunk has 4 proofs: the last chunk is the filler."""
    parts = make(shared_rig)
    await parts.add(count)
    await parts.bring_on_chain()
    revoked = await revoke(parts, shared_rig)
    assert await parts.states() == ["rejected"] * count
    again = await send_again(parts)
    await parts.bring_on_chain()
    row = await newest(parts)
    assert (row["state"], row["root"] != revoked, row["leaf_count"]) == ("mined", True, leaves)
    assert await are_included(parts, again)
    async with parts.db.transaction() as conn:
        listed = await archive.commitments(conn, row["id"])
    (part,) = await parts.rows(
        "SELECT array_agg(commitment ORDER BY leaf_index) AS c FROM proofs WHERE id = ANY(%s)", again
    )
    assert listed == part["c"] + part["c"][count - (leaves - count) :]
    assert await parts.states("aggregations") == ["failed", "mined"]


async def test_revoked__twice__one_more_filler(shared_rig: AggregationRig, make: MakeParts) -> None:
    parts = make(shared_rig)
    await parts.add(1)
    await parts.bring_on_chain()
    for leaves in (2, 3):
        await revoke(parts, shared_rig)
        again = await send_again(parts)
        await parts.bring_on_chain()
        assert (await newest(parts))["leaf_count"] == leaves
    assert await are_included(parts, again[-1:])


async def test_revoked__while_its_proof_was_made__never_mined_and_begun_anew_without_a_pause(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    """Somebody else records the very root, and the guardian revokes it, before this aggregator sends."""
    parts = make(shared_rig)
    await prove(parts, 1)
    await send_from_another_account(parts, make, shared_rig)
    first = await newest(parts)
    shared_rig.as_admin("revokeRoots", [first["root"]])
    await parts.publish_until_settled()
    assert (await parts.states("aggregations"), await parts.states("chunks")) == (["failed"], ["proved"])
    assert (await parts.states(), account_nonce(parts, shared_rig)) == (["proving"], 0)
    seen = [row["state"] for row in await parts.rows(_SEEN, first["id"])]
    assert seen == ["proving", "proved", "failed"]
    await parts.plan()
    await parts.prove_final()
    await parts.publish_until_settled()
    assert (await parts.states("aggregations"), await parts.states()) == (["failed", "mined"], ["mined"])
    assert parts.engine.jobs == [1]  # the chunk's proof is good


async def test_revoked__node_lags_behind__what_was_once_seen_counts(
    shared_rig: AggregationRig, make: MakeParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = make(shared_rig)
    await parts.add(1)
    await parts.bring_on_chain()
    revoked = await revoke(parts, shared_rig)

    async def has_not_seen_it(_root: bytes) -> None:
        """No record."""

    await send_again(parts)
    monkeypatch.setattr(parts.context.service, "aggregated_root", has_not_seen_it)
    await parts.plan()
    await parts.prove_chunks()
    await parts.plan()
    row = await newest(parts)
    assert (row["state"], row["root"] != revoked, row["fillers"]) == ("proving", True, 1)


async def test_revoked__chain_does_not_answer__nothing_begins_and_nothing_is_lost(
    shared_rig: AggregationRig, make: MakeParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = make(shared_rig)
    await parts.add(1)
    await parts.plan()
    await parts.prove_chunks()

    async def silence(_root: bytes) -> None:
        raise DependencyError(CHAIN_UNAVAILABLE, "no answer")

    with monkeypatch.context() as outage:
        outage.setattr(parts.context.service, "aggregated_root", silence)
        await parts.plan()
    assert (await parts.count("aggregations"), await parts.states("chunks")) == (0, ["proved"])
    await parts.plan()
    assert await parts.count("aggregations") == 1


async def test_records__revoked_root__is_no_record(shared_rig: AggregationRig, make: MakeParts) -> None:
    parts = make(shared_rig)
    await parts.add(1)
    await parts.bring_on_chain()
    root = (await newest(parts))["root"]
    assert await is_recorded(parts.context, root)
    assert (await find_record(parts.context, root)).block_number > 0
    shared_rig.as_admin("revokeRoots", [root])
    with pytest.raises(RootRevoked):
        await is_recorded(parts.context, root)
    with pytest.raises(RootRevoked):
        await find_record(parts.context, root)
    assert not await is_recorded(parts.context, b"\7" * 32)
