"""From NewBatchV3 on a real chain to proofs that wait to be aggregated."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from aligned_native import keccak256, sp1_vkey_hash
from structlog.testing import capture_logs

from aligned.core.aggregation import AggregationSystem, commitment, leaf_of
from aligned.core.errors import VERIFIER_CRASHED
from aligned.storage.aggregation import intake
from aligned.verifiers.base import Verdict, refused
from aligned.verifiers.pool import VerifierPool
from aligned.wire.batch_file import encode_batch
from tests.integration.files import announce, redirect_to
from tests.integration.intake.harness import (
    Bed,
    StubVerifier,
    real_proofs,
    root_of,
    running_intake,
    small_proofs,
    with_proof,
)
from tests.sp1_digest import BLAKE3_OF_FIB_A, committed_by


async def test_intake__real_batch__aggregates_the_proofs_that_recursion_takes(bed: Bed) -> None:
    batch = real_proofs()
    task = bed.post(batch)
    async with VerifierPool(1) as pool, running_intake(bed, pool):
        row = await bed.reaches(task, "taken")
    proofs = await bed.proofs(task)
    assert row["proofs"] == 3
    assert [proof["batch_index"] for proof in proofs] == [0, 1, 2]
    assert {(proof["source"], proof["state"]) for proof in proofs} == {("batch", "pending")}
    program_id = sp1_vkey_hash(batch[0].verification_key or b"")
    first = proofs[0]
    assert first["program_id"] == program_id
    assert first["commitment"] == commitment(batch[0].pub_input or b"", program_id)
    assert first["leaf"] == leaf_of(AggregationSystem.SP1, first["commitment"])
    assert first["proof_hash"] == keccak256(batch[0].proof)
    assert await bed.store.get(first["proof_object"], 1 << 24) == batch[0].proof


async def test_intake__real_proof_with_another_public_input__is_left_out(bed: Bed) -> None:
    good, *_ = real_proofs()
    wrong = with_proof(good, pub_input=bytes(len(good.pub_input or b"")))
    task = bed.post([wrong, good])
    async with VerifierPool(1) as pool, running_intake(bed, pool):
        assert (await bed.reaches(task, "taken"))["proofs"] == 1
    assert [proof["batch_index"] for proof in await bed.proofs(task)] == [1]


async def test_intake__public_values_committed_by_blake3__are_left_out(bed: Bed) -> None:
    good, *_ = real_proofs()
    other = with_proof(good, proof=committed_by(good.proof, good.pub_input or b"", BLAKE3_OF_FIB_A))
    task = bed.post([other, good])
    with capture_logs() as logged:
        async with VerifierPool(1) as pool, running_intake(bed, pool):
            await bed.reaches(task, "taken")
    assert [proof["batch_index"] for proof in await bed.proofs(task)] == [1]
    [left_out] = [entry for entry in logged if entry["event"] == "batch_proof_left_out"]
    assert (left_out["batch_index"], left_out["code"]) == (0, "unsupported_version")


async def test_intake__batches_posted_before_it_ran__are_all_taken(bed: Bed) -> None:
    tasks = [bed.post(small_proofs(b"%d" % number)) for number in range(4)]
    async with running_intake(bed, StubVerifier()):
        for task in tasks:
            assert (await bed.reaches(task, "taken"))["proofs"] == 1


async def test_intake__started_again__takes_nothing_twice(bed: Bed) -> None:
    task, verifier = bed.post(small_proofs(b"one", b"two")), StubVerifier()
    for _ in range(2):
        async with running_intake(bed, verifier):
            await bed.reaches(task, "taken")
    assert len(verifier.seen) == 2
    assert len(await bed.proofs(task)) == 2


async def test_intake__two_over_one_database__take_each_batch_once(bed: Bed) -> None:
    verifier = StubVerifier()
    tasks = [bed.post(small_proofs(b"%d" % number, b"x%d" % number)) for number in range(5)]
    async with running_intake(bed, verifier), running_intake(bed, verifier):
        for task in tasks:
            await bed.reaches(task, "taken")
    assert len(verifier.seen) == 10
    assert await bed.query("SELECT count(*) AS n FROM proofs") == [{"n": 10}]


async def test_intake__same_root_announced_by_a_stranger_with_a_bad_pointer__is_taken_all_the_same(
    bed: Bed,
) -> None:
    batch = small_proofs(b"one")
    bad = bed.post(batch, url="http://127.0.0.1:1/nothing")
    good = bed.post(batch)
    verifier = StubVerifier()
    async with running_intake(bed, verifier):
        assert (await bed.reaches(good, "taken"))["proofs"] == 1
        await bed.reaches(bad, "failed")
    assert len(await bed.proofs(good)) == 1


async def test_intake__same_batch_by_two_senders__is_verified_and_taken_once(bed: Bed) -> None:
    first, verifier = bed.post(small_proofs(b"one")), StubVerifier()
    async with running_intake(bed, verifier):
        await bed.reaches(first, "taken")
        second = bed.post(small_proofs(b"one"))
        assert (await bed.reaches(second, "taken"))["proofs"] == 0
    assert len(verifier.seen) == 1


async def test_intake__proof_without_verdict__is_asked_twice_and_stops_no_other(bed: Bed) -> None:
    def crashes(proof: bytes) -> Verdict | None:
        return refused(VERIFIER_CRASHED, "crash") if b"evil" in proof else None

    task, verifier = bed.post(small_proofs(b"evil", b"good", b"bad")), StubVerifier(answer=crashes)
    async with running_intake(bed, verifier):
        assert (await bed.reaches(task, "taken"))["proofs"] == 1
    assert [proof[4:] for proof in verifier.seen] == [b"evil", b"good", b"bad", b"evil"]
    assert [proof["batch_index"] for proof in await bed.proofs(task)] == [1]


@pytest.mark.parametrize(
    "changes", [{"pub_input": None}, {"vm_program_code": b"\x11" * 31}, {"vm_program_code": None}]
)
async def test_intake__proof_without_what_recursion_needs__is_left_out(
    bed: Bed, changes: dict[str, object]
) -> None:
    [plain] = small_proofs(b"one")
    task, verifier = bed.post([with_proof(plain, **changes)]), StubVerifier()
    async with running_intake(bed, verifier):
        assert (await bed.reaches(task, "taken"))["proofs"] == 0
    assert verifier.seen == []


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("other", "root_mismatch"), ("garbage", "undecodable_batch"), ("huge", "batch_too_large")],
)
async def test_intake__file_that_is_not_the_batch__is_given_up_at_once(
    bed: Bed, kind: str, reason: str
) -> None:
    content = {"other": encode_batch(small_proofs(b"another")), "garbage": b"\xff" * 64}
    url = bed.files.on("/huge", announce(1 << 40)) if kind == "huge" else bed.files.put("/x", content[kind])
    task = bed.post(small_proofs(b"one"), url)
    async with running_intake(bed, StubVerifier()):
        row = await bed.reaches(task, "failed")
    assert (row["attempts"], row["last_error"].split(":")[0]) == (1, reason)
    assert await bed.proofs(task) == []


async def test_intake__file_late__is_fetched_again(bed: Bed) -> None:
    batch = small_proofs(b"one")
    task = bed.post(batch, bed.files.url + "/late")
    patient = bed.changed(max_attempts=1_000)
    async with running_intake(patient, StubVerifier()):
        while bed.files.hits.get("/late", 0) < 2:
            await patient.query("SELECT pg_sleep(0.05)")
        bed.files.put("/late", encode_batch(batch))
        assert (await bed.reaches(task, "taken"))["proofs"] == 1


async def test_intake__file_never_comes__is_given_up_after_bounded_attempts(bed: Bed) -> None:
    task = bed.post(small_proofs(b"one"), bed.files.url + "/never")
    async with running_intake(bed, StubVerifier()):
        row = await bed.reaches(task, "failed")
    assert (row["attempts"], bed.files.hits["/never"]) == (3, 3)


async def test_intake__batch_that_ends_its_process_every_time__is_given_up(bed: Bed) -> None:
    task = bed.post(small_proofs(b"one"))
    async with running_intake(bed.changed(daily_at=_an_hour_from_now()), StubVerifier()):
        while not await bed.batch(task):
            await bed.query("SELECT pg_sleep(0.05)")
    await bed.query("UPDATE intake_batches SET attempts = 3 RETURNING attempts")
    verifier = StubVerifier()
    async with running_intake(bed, verifier):
        row = await bed.reaches(task, "failed")
    assert row["last_error"].startswith("no_outcome")
    assert verifier.seen == []


async def test_intake__private_address_or_redirect_in_production__is_not_followed(bed: Bed) -> None:
    moved = bed.post(small_proofs(b"one"), bed.files.on("/moved", redirect_to(bed.files.url + "/target")))
    async with running_intake(bed, StubVerifier()):
        assert "redirect_refused" in (await bed.reaches(moved, "failed"))["last_error"]
    private = bed.post(small_proofs(b"two"))
    async with running_intake(bed.changed(allow_private_hosts=False), StubVerifier()):
        assert "private_address" in (await bed.reaches(private, "failed"))["last_error"]
    assert bed.files.hits == {"/moved": 3}


async def test_intake__pointer_that_is_no_text__stops_nothing(bed: Bed) -> None:
    bed.rig.create_task_with_raw_pointer(b"\x01" * 32, b"\xff\0\xfe", bed.rig.node.new_account())
    task = bed.post(small_proofs(b"one"))
    async with running_intake(bed, StubVerifier()):
        await bed.reaches(task, "taken")
        while await bed.query("SELECT 1 FROM intake_batches WHERE state = 'new'"):
            await bed.query("SELECT pg_sleep(0.05)")
    assert await bed.query("SELECT state FROM intake_batches ORDER BY block_number") == [
        {"state": "failed"},
        {"state": "taken"},
    ]


async def test_intake__batch_reorged_away_before_it_was_taken__is_forgotten_others_stay(bed: Bed) -> None:
    late = bed.changed(daily_at=_an_hour_from_now())
    kept = bed.post(small_proofs(b"kept"))
    async with running_intake(late, StubVerifier()):
        before = bed.rig.node.rpc("evm_snapshot")
        gone = bed.post(small_proofs(b"gone"))
        while not await bed.batch(gone):
            await bed.query("SELECT pg_sleep(0.05)")
        bed.rig.node.rpc("evm_revert", before)
        bed.rig.node.rpc("evm_increaseTime", 100)
        bed.rig.node.mine(3)
        while await bed.batch(gone) or not await bed.batch(kept):
            await bed.query("SELECT pg_sleep(0.05)")


async def test_intake__daily_schedule__waits_for_its_hour_and_then_takes_what_was_there(bed: Bed) -> None:
    task = bed.post(small_proofs(b"one"))
    async with running_intake(bed.changed(daily_at=_an_hour_from_now()), StubVerifier()) as running:
        while not await bed.batch(task):
            await bed.query("SELECT pg_sleep(0.05)")
        await bed.query("SELECT pg_sleep(0.3)")
        assert (await bed.batch(task))["state"] == "new"
        assert not running.done()
        # As if it had been there when the hour came.
        await bed.query("UPDATE intake_batches SET seen_at = now() - interval '1 day' RETURNING seen_at")
        await bed.reaches(task, "taken")


async def test_claim__lease_runs_out__another_gets_it_and_the_first_can_still_end_it(bed: Bed) -> None:
    task = bed.post(small_proofs(b"one"))
    async with running_intake(bed.changed(daily_at=_an_hour_from_now()), StubVerifier()):
        while not await bed.batch(task):
            await bed.query("SELECT pg_sleep(0.05)")
    now = datetime.fromtimestamp(time.time() + 60, UTC)
    async with bed.db.transaction() as conn:
        first = await intake.claim(conn, 0.0, now)
    async with bed.db.transaction() as conn:
        second = await intake.claim(conn, 60.0, now)
        assert await intake.claim(conn, 60.0, now) is None
    assert first is not None
    assert second is not None
    assert (first.root, first.attempts, second.attempts) == (root_of(small_proofs(b"one")), 1, 2)
    async with bed.db.transaction() as conn:
        await intake.take(conn, first, [])
        await intake.put_off(conn, second, "late", 1.0)
    assert (await bed.batch(task))["state"] == "taken"


def _an_hour_from_now() -> str:
    return time.strftime("%H:%M", time.gmtime(time.time() + 3_600))
