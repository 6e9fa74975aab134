"""What is shown to whom: receipts, pages, waits, event streams, aggregations and their leaves."""

from __future__ import annotations

import asyncio
import json
import uuid

import httpx
import pytest

from aligned.core.aggregation import AggregationSystem, leaf_of, tree_of, verify_inclusion
from aligned.storage.postgres import Database
from aligned.wire.gateway import PROOF_STATES, encode_cursor
from tests.integration.gateway.aggregated import aggregate
from tests.integration.gateway.running import Running
from tests.integration.gateway.submitter import PAYMENT_SERVICE, Submitter, pay, risc0, sp1, submitter

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOWHERE = "0x" + "ab" * 32


async def _set_state(db: Database, proof_id: str, state: str) -> None:
    async with db.transaction() as conn:
        await conn.execute("UPDATE proofs SET state = %s WHERE id = %s", (state, proof_id))


async def _submit_two(gateway: Running, user: Submitter) -> list[str]:
    answers = [
        await gateway.submit(user, proof, nonce)
        for nonce, proof in enumerate([risc0(), risc0("fib3_30_composite")])
    ]
    return [answer.json()["id"] for answer in answers]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/v1/proofs/{uuid.uuid4()}", 404, "unknown_proof"),
        (f"/v1/proofs/{uuid.uuid4()}?wait_s=1", 404, "unknown_proof"),
        (f"/v1/proofs/{uuid.uuid4()}/events", 404, "unknown_proof"),
        ("/v1/proofs/not-an-id", 400, "malformed_message"),
        ("/v1/proofs/%00", 400, "malformed_message"),
        (f"/v1/proofs/{uuid.uuid4()}?wait_s=-1", 400, "malformed_message"),
        (f"/v1/proofs/{uuid.uuid4()}?wait_s=nan", 400, "malformed_message"),
        (f"/v1/proofs/{uuid.uuid4()}?wait_s=1&until=never", 400, "malformed_message"),
        ("/v1/proofs", 400, "malformed_message"),
        ("/v1/proofs?address=0x12", 400, "malformed_message"),
        ("/v1/proofs?address=0x" + "0" * 40 + "%0a", 400, "malformed_message"),
        ("/v1/proofs?address=0x" + "0" * 40 + "&limit=-1", 400, "malformed_message"),
        ("/v1/proofs?address=0x" + "0" * 40 + "&limit=0", 400, "malformed_message"),
        ("/v1/proofs?address=0x" + "0" * 40 + "&limit=101", 400, "malformed_message"),
        ("/v1/proofs?address=0x" + "0" * 40 + "&limit=9999999999999999999999", 400, "malformed_message"),
        ("/v1/proofs?address=0x" + "0" * 40 + "&state=lost", 400, "malformed_message"),
        ("/v1/proofs?address=0x" + "0" * 40 + "&state=' OR 1=1 --", 400, "malformed_message"),
        ("/v1/accounts/0x12/nonce", 400, "malformed_message"),
        ("/v1/accounts/" + "0" * 40 + "/quota", 400, "malformed_message"),
        ("/v1/aggregations?system=zisk", 400, "malformed_message"),
        (f"/v1/aggregations/{NOWHERE}", 404, "unknown_aggregation"),
        (f"/v1/aggregations/{NOWHERE}/leaves", 404, "unknown_aggregation"),
        ("/v1/aggregations/0x12", 400, "malformed_message"),
        ("/v1/nothing", 404, "http_404"),
    ],
)
async def test_get__unknown_or_malformed__refused(
    gateway: Running, path: str, status: int, code: str
) -> None:
    answer = await gateway.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%00",
        "=",
        "MQ==",
        "MQ%3D%3D",
        "LTE",
        "A" * 41,
        "A" * 65,
        encode_cursor(2**63),
        "MDE",
        "é",
        "MR",
        "4pmA",
    ],
)
@pytest.mark.parametrize("path", ["/v1/proofs?address=0x" + "0" * 40 + "&", "/v1/aggregations?"])
async def test_get__cursor_that_is_not_ours__refused(gateway: Running, path: str, cursor: str) -> None:
    answer = await gateway.get(f"{path}cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_message"), answer.text


async def test_accounts__unknown_address__zeros(gateway: Running) -> None:
    stranger = submitter(9)
    assert (await gateway.get(f"/v1/accounts/{stranger.hex}/quota")).json() == {
        "address": stranger.hex,
        "remaining": 0,
        "rows": [],
        "expires_s": 0,
    }
    answer = await gateway.get(f"/v1/accounts/0X{stranger.hex[2:].upper()}/nonce")
    assert answer.status_code == 400
    answer = await gateway.get(f"/v1/accounts/0x{stranger.hex[2:].upper()}/nonce")
    assert answer.json() == {"address": stranger.hex, "nonce": 0}


async def test_quota__large_numbers__are_exact(gateway: Running) -> None:
    rich = submitter(10)
    for _ in range(3):
        await pay(gateway.db, rich.address, proofs=2**32 - 1)
    assert (await gateway.get(f"/v1/accounts/{rich.hex}/quota")).json()["remaining"] == 3 * (2**32 - 1)


async def test_receipts__pages__hold_every_proof_once_newest_first(gateway: Running, user: Submitter) -> None:
    proofs = [risc0(), risc0("fib3_30_composite"), risc0(suffix="receipt"), sp1(), sp1("fib_b")]
    ids = [(await gateway.submit(user, proof, nonce)).json()["id"] for nonce, proof in enumerate(proofs)]
    seen, cursor = [], ""
    for _ in range(10):
        page = (await gateway.get(f"/v1/proofs?address={user.hex}&limit=2{cursor}")).json()
        seen += [receipt["id"] for receipt in page["receipts"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == ids[::-1]
    await _set_state(gateway.db, ids[1], "unpaid")
    for state in PROOF_STATES:
        page = (await gateway.get(f"/v1/proofs?address={user.hex}&state={state}&limit=100")).json()
        expected = {"unpaid": [ids[1]], "pending": [i for i in ids[::-1] if i != ids[1]]}.get(state, [])
        assert [receipt["id"] for receipt in page["receipts"]] == expected
        assert page["next"] is None


async def test_receipt__aggregated__proves_its_inclusion(gateway: Running, user: Submitter) -> None:
    ids = await _submit_two(gateway, user)
    made = await aggregate(gateway.db, ids)
    for index, proof_id in enumerate(ids):
        receipt = (await gateway.get(f"/v1/proofs/{proof_id}")).json()
        place = receipt["aggregation"]
        path = b"".join(bytes.fromhex(word[2:]) for word in place["path"])
        leaf = bytes.fromhex(receipt["leaf"][2:])
        assert (place["leaf_index"], place["leaf_count"]) == (index, 2)
        assert verify_inclusion(bytes.fromhex(place["root"][2:]), 2, leaf, index, path)
        assert (place["tx_hash"], place["versioned_hashes"]) == (made["word"], [made["word"]])
        assert (place["level"], place["not_proved"], place["state"]) == ("native", "everything", "mined")
        assert receipt["history"][-1]["state"] == "mined"


async def test_aggregation__leaves__are_all_commitments_in_order(gateway: Running, user: Submitter) -> None:
    other = submitter(11)
    await pay(gateway.db, other.address)
    ids = [
        (await gateway.submit(account, proof, 0)).json()["id"]
        for account, proof in ((user, sp1()), (other, sp1("fib_b")))
    ]
    made = await aggregate(gateway.db, ids)
    path = f"/v1/aggregations/0x{made['root'].hex()}"
    raw = await gateway.get(path + "/leaves")
    assert raw.headers["content-type"] == "application/octet-stream"
    assert raw.content == b"".join(made["commitments"])
    found = (await gateway.get(path + "/leaves", headers={"accept": "application/json"})).json()
    assert found["commitments"] == ["0x" + each.hex() for each in made["commitments"]]
    leaves = [leaf_of(AggregationSystem.SP1, each) for each in made["commitments"]]
    assert verify_inclusion(
        made["root"], 2, leaves[1], 1, tree_of(AggregationSystem.SP1, made["commitments"]).path(1)
    )
    shown = (await gateway.get(path)).json()
    assert (shown["leaf_count"], shown["system"], shown["block_number"]) == (2, "sp1", 7)
    assert [line["state"] for line in shown["history"]] == ["mined"]
    listed = (await gateway.get("/v1/aggregations?system=sp1&limit=1")).json()["aggregations"]
    assert [each["root"] for each in listed] == [shown["root"]]
    assert (
        await gateway.get(path.upper().replace("0X", "0x").replace("/V1/AGGREGATIONS", "/v1/aggregations"))
    ).json() == shown


async def test_aggregation__places_missing__leaves_not_ready(gateway: Running, user: Submitter) -> None:
    proof_id = (await gateway.submit(user, sp1("agg", "agg"), 0)).json()["id"]
    made = await aggregate(gateway.db, [proof_id], state="submitted")
    async with gateway.db.transaction() as conn:
        await conn.execute("UPDATE aggregations SET leaf_count = 2 WHERE root = %s", (made["root"],))
    answer = await gateway.get(f"/v1/aggregations/0x{made['root'].hex()}/leaves")
    assert (answer.status_code, answer.json()["code"]) == (409, "leaves_not_ready")
    listed = (await gateway.get("/v1/aggregations")).json()["aggregations"]
    assert "0x" + made["root"].hex() not in [each["root"] for each in listed], "not on chain yet"


async def test_wait__state_reached_meanwhile__answered_at_once(gateway: Running, user: Submitter) -> None:
    [proof_id, _] = await _submit_two(gateway, user)
    waiting = asyncio.create_task(gateway.get(f"/v1/proofs/{proof_id}?wait_s=50&until=mined"))
    final = asyncio.create_task(gateway.get(f"/v1/proofs/{proof_id}?wait_s=1"))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await aggregate(gateway.db, [proof_id])
    async with asyncio.timeout(20):
        assert (await waiting).json()["state"] == "mined"
        assert (await final).json()["state"] in ("pending", "mined"), "its time was over"


async def test_wait__already_so_far_or_rejected__answered_at_once(gateway: Running, user: Submitter) -> None:
    [proof_id, other] = await _submit_two(gateway, user)
    async with gateway.db.transaction() as conn:
        await conn.execute(
            "UPDATE proofs SET state = 'rejected', reject_code = 'invalid_proof' WHERE id = %s", (other,)
        )
    async with asyncio.timeout(20):
        for path in (f"{proof_id}?wait_s=50&until=pending", f"{other}?wait_s=50&until=final"):
            assert (await gateway.get(f"/v1/proofs/{path}")).status_code == 200


async def test_events__states_one_after_the_other__sent_and_ended(gateway: Running, user: Submitter) -> None:
    [_, proof_id] = await _submit_two(gateway, user)
    events: list[dict[str, str]] = []
    async with (
        asyncio.timeout(30),
        httpx.AsyncClient(trust_env=False, timeout=30) as http,
        http.stream("GET", f"{gateway.url}/v1/proofs/{proof_id}/events") as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                events.append({"id": value})
            elif name == "data":
                events[-1]["state"] = json.loads(value)["state"]
                if events[-1]["state"] == "pending":
                    await aggregate(gateway.db, [proof_id])
                elif events[-1]["state"] == "mined":
                    await _set_state(gateway.db, proof_id, "final")
    assert [event["state"] for event in events] == ["verifying", "pending", "mined", "final"]
    again = await gateway.get(f"/v1/proofs/{proof_id}/events", headers={"Last-Event-ID": events[1]["id"]})
    assert again.text.count("event: state") == 2


@pytest.mark.parametrize("last", ["-1", "x", "²", "9" * 21])
async def test_events__last_event_id_that_is_not_ours__refused(
    gateway: Running, user: Submitter, last: str
) -> None:
    proof_id = (await gateway.submit(user, risc0(), 0)).json()["id"]
    answer = await gateway.get(
        f"/v1/proofs/{proof_id}/events", headers=[(b"last-event-id", last.encode("latin-1"))]
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_message")


async def test_pages__about_the_gateway__are_complete(gateway: Running) -> None:
    status = (await gateway.get("/v1/status")).json()
    assert (status["chain_id"], status["payment_service"]) == (31337, "0x" + PAYMENT_SERVICE.hex())
    assert status["price"] is None, "the chain of this gateway is nowhere"
    assert (await gateway.get("/readyz")).json()["status"] == "ready"
    assert "aligned_gateway_accepted_total" in (await gateway.get("/metrics")).text
    paths = (await gateway.get("/openapi.json")).json()["paths"]
    page = (await gateway.get("/docs")).text
    assert all(path in page for path in paths)
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    form = paths["/v1/proofs"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"proof", "key", "public_inputs", "signature"} <= set(form["required"])
    assert {"401", "402", "409", "413", "415", "422", "429", "503"} <= set(
        paths["/v1/proofs"]["post"]["responses"]
    )
