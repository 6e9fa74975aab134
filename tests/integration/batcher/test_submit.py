"""From submission to inclusion, with both kinds of client."""

from __future__ import annotations

import asyncio

from aligned.chain.contracts import BatchStatus
from aligned.core import signing
from aligned.core.commitment import commit
from aligned.core.eip712 import receipt_digest
from aligned.wire.batch_file import decode_batch
from tests.integration.batcher.clients import CHAIN_ID, PAYMENT_SERVICE, HelloClient, ReferenceClient, User
from tests.integration.batcher.conftest import Running, eventually
from tests.integration.batcher.proofs import circom, risc0, small, sp1


async def test_reference_client__real_proofs__valid_and_included_in_nonce_order(
    batcher: Running, user: User
) -> None:
    proofs = [
        sp1("fib_a", "fib"),
        risc0("fib3_20_composite"),
        small(),
        circom("preimage_a"),
        sp1("agg", "agg"),
    ]
    async with ReferenceClient(batcher.url) as client:
        await client.submit(user, proofs, 0)
        found = await client.inclusions(proofs)
    assert sum(len(sent.task.submitters) for sent in batcher.chain.sent) == 5
    assert {root for root, _ in found} == {sent.task.root for sent in batcher.chain.sent}
    assert batcher.chain.accounts[user.address].nonce == 5


async def test_hello_client__proof__signed_receipt_then_status_and_inclusion(
    batcher: Running, user: User
) -> None:
    data = small()
    async with HelloClient(batcher.url) as client:
        assert client.terms["chain_id"] == CHAIN_ID
        assert client.terms["payment_service"] == "0x" + PAYMENT_SERVICE.hex()
        receipt = await client.ask(user.message(data, 0, arrays=False))
        body = receipt["Receipt"]
        digest = receipt_digest(body["leaf"], user.address, 0, body["deadline"], CHAIN_ID, PAYMENT_SERVICE)
        r, s = (int.from_bytes(body["signature"][i : i + 32], "big") for i in (0, 32))
        assert signing.recover_address(digest, r, s, body["signature"][64]) == batcher.signer.address
        assert (body["leaf"], body["nonce"], body["position"]) == (commit(data).leaf, 0, 0)
        inclusion = await client.next("BatchInclusionData")
        assert (inclusion["nonce"], inclusion["leaf"]) == (0, commit(data).leaf)
        batcher.chain.statuses[inclusion["batch_merkle_root"]] = BatchStatus.VERIFIED
        assert (await client.next("Status"))["state"] == "verified"


async def test_batch_file__posted_batch__holds_the_proofs_in_leaf_order(batcher: Running, user: User) -> None:
    proofs = [small(salt) for salt in range(3)]
    async with HelloClient(batcher.url) as client:
        for nonce, data in enumerate(proofs):
            await client.send(user.message(data, nonce))
        found: dict[bytes, tuple[bytes, int]] = {}
        while len(found) < 3:
            body = await client.next("BatchInclusionData")
            found[body["leaf"]] = (body["batch_merkle_root"], body["index_in_batch"])
    for data in proofs:
        root, index = found[commit(data).leaf]
        stored = decode_batch(await batcher.store.get(f"{root.hex()}.cbor", 2**20), 10)
        assert stored[index] == data


async def test_http__proof_by_leaf__tells_state_and_inclusion(batcher: Running, user: User) -> None:
    data = small()
    leaf = "0x" + commit(data).leaf.hex()
    assert (await batcher.get(f"/v1/proofs/{leaf}")).json() == {"leaf": leaf, "submissions": []}
    async with HelloClient(batcher.url) as client:
        await client.ask(user.message(data, 0))
        root = (await client.next("BatchInclusionData"))["batch_merkle_root"]
    batcher.chain.statuses[root] = BatchStatus.VERIFIED

    async def is_verified() -> bool:
        page = (await batcher.get(f"/v1/proofs/{leaf}")).json()
        return bool(page["submissions"][0]["state"] == "verified")

    await eventually(is_verified)
    (entry,) = (await batcher.get(f"/v1/proofs/{leaf}")).json()["submissions"]
    assert entry["sender"] == "0x" + user.address.hex()
    assert (entry["batch_root"], entry["index"], entry["path"]) == ("0x" + root.hex(), 0, "0x")
    assert (await batcher.get(f"/v1/nonce/0x{user.address.hex()}")).json()["nonce"] == 1


async def test_http__other_pages__answer(batcher: Running) -> None:
    quote = (await batcher.get("/v1/quote")).json()
    assert quote["fee_per_proof_wei"]["1"] > quote["fee_per_proof_wei"]["32"] == quote["min_max_fee_wei"]
    assert (await batcher.get("/healthz")).json() == {"status": "ok"}
    assert (await batcher.get("/metrics")).status_code == 404
    assert "aligned_batcher_queue_proofs 0.0" in await batcher.metrics()
    assert (await batcher.get("/v1/proofs/0x12")).json()["code"] == "malformed_message"
    assert (await batcher.get("/nothing")).status_code == 404


async def test_same_message__sent_again__same_receipt_and_one_row(batcher: Running, user: User) -> None:
    message = user.message(small(), 0)
    async with HelloClient(batcher.url) as client:
        first = await client.ask(message)
    async with HelloClient(batcher.url) as client:
        second = (await client.ask(message))["Receipt"]
        await client.next("BatchInclusionData")
        third = (await client.ask(message))["Receipt"]
    assert first["Receipt"]["signature"] == second["signature"] == third["signature"]
    assert sum(len(sent.task.submitters) for sent in batcher.chain.sent) == 1


async def test_same_message__on_two_connections_at_once__one_row(batcher: Running, user: User) -> None:
    message = user.message(sp1("fib_a", "fib"), 0)
    async with HelloClient(batcher.url) as one, HelloClient(batcher.url) as two:
        replies = await asyncio.gather(one.ask(message), two.ask(message))
    assert replies[0]["Receipt"]["signature"] == replies[1]["Receipt"]["signature"]
    async with batcher.db.transaction() as conn:
        row = await (await conn.execute("SELECT count(*) AS n FROM submission")).fetchone()
    assert row is not None
    assert row["n"] == 1


async def test_pipeline__refused_proof_in_the_middle__later_nonces_refused_earlier_kept(
    batcher: Running, user: User
) -> None:
    bad = risc0("fib3_20_composite")
    wrong = type(bad)(
        bad.proving_system, bad.proof, b"\0" * 8, None, bad.vm_program_code, bad.proof_generator_addr
    )
    async with HelloClient(batcher.url) as client:
        for nonce, data in enumerate([small(0), wrong, small(2)]):
            await client.send(user.message(data, nonce))
        replies = [message for message in [await client.read() for _ in range(3)] if "Status" not in message]
        while len(replies) < 3:
            message = await client.read()
            replies += [] if set(message) & {"Status", "BatchInclusionData"} else [message]
    outcome = {}
    for message in replies:
        ((kind, body),) = message.items()
        outcome[body["nonce"]] = body.get("code", kind)
    assert outcome[0] == "Receipt"
    assert outcome[1] in ("public_input_mismatch", "invalid_proof", "key_mismatch")
    assert outcome[2] == "nonce_too_high"
