"""A proof's way in: stored, verified, charged once, and shown."""

from __future__ import annotations

import pytest

from aligned.core.aggregation import commitment, leaf_of
from tests.integration.gateway.running import Running
from tests.integration.gateway.submitter import Proof, Submitter, risc0, sp1

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    "proof",
    [sp1(), risc0(), risc0(suffix="receipt"), risc0("zkverify/3.0.0_succinct_16", "receipt")],
    ids=["sp1", "risc0", "receipt", "succinct"],
)
async def test_submit__valid_proof__is_pending_and_charged(
    gateway: Running, user: Submitter, proof: Proof
) -> None:
    answer = await gateway.submit(user, proof, 0)
    receipt = answer.json()
    assert answer.status_code == 201, receipt
    assert (receipt["state"], receipt["nonce"], receipt["address"]) == ("pending", 0, user.hex)
    assert [line["state"] for line in receipt["history"]] == ["verifying", "pending"]
    program_id = bytes.fromhex(receipt["program_id"][2:])
    expected = commitment(proof.public_inputs, program_id)
    assert receipt["commitment"] == "0x" + expected.hex()
    assert receipt["leaf"] == "0x" + leaf_of(proof.system, expected).hex()
    assert (await gateway.get(f"/v1/proofs/{receipt['id']}")).json() == receipt
    assert (await gateway.quota(user), await gateway.nonce(user)) == (9, 1)
    assert gateway.spooled() == []
    assert f"{receipt['id'].replace('-', '')}.proof" in gateway.objects()
