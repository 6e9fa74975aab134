"""A gateway that answers for somebody else, and a beacon node with a broken clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aligned.core.errors import ProtocolError
from aligned.sdk.beacon import BeaconNode
from aligned.sdk.gateway_http import GatewayHttp
from tests.unit.sdk.aggregations import GENESIS_S, receipt_fields, serving

MINE, OTHERS = b"\x77" * 20, "0x" + "66" * 20
MINE_HEX = "0x" + MINE.hex()
ID = "00000000-0000-4000-8000-000000000001"
ROOT = b"\x05" * 32
AGGREGATION = {
    "id": 1,
    "system": "sp1",
    "level": "groth16",
    "not_proved": "",
    "state": "final",
    "root": "0x" + "06" * 32,
    "leaf_count": 1,
    "program_id": "0x" + "07" * 32,
    "cycles": None,
    "tx_hash": None,
    "block_number": None,
    "block_hash": None,
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "blobs": [],
}
Ask = Callable[[GatewayHttp], Awaitable[Any]]


@pytest.mark.parametrize(
    ("path", "answer", "ask"),
    [
        (f"/v1/proofs/{ID}", receipt_fields(), lambda gateway: gateway.receipt(ID)),
        (
            "/v1/proofs",
            {"receipts": [receipt_fields()], "next": None},
            lambda gateway: gateway.receipts(MINE, None, 10, None),
        ),
        (
            f"/v1/accounts/{MINE_HEX}/nonce",
            {"address": OTHERS, "nonce": 3},
            lambda gateway: gateway.nonce(MINE),
        ),
        (
            f"/v1/accounts/{MINE_HEX}/quota",
            {"address": OTHERS, "remaining": 3, "rows": [], "expires_s": 0},
            lambda gateway: gateway.quota(MINE),
        ),
        (f"/v1/aggregations/0x{ROOT.hex()}", AGGREGATION, lambda gateway: gateway.aggregation(ROOT)),
    ],
    ids=["receipt", "receipts", "nonce", "quota", "aggregation"],
)
async def test_gateway__answer_about_somebody_else__refused(
    path: str, answer: dict[str, Any], ask: Ask
) -> None:
    gateway = GatewayHttp("http://gateway", serving({path: answer}))
    with pytest.raises(ProtocolError, match="of another one than was asked for"):
        await ask(gateway)


@pytest.mark.parametrize("nonce", [-1, 2**63, 2**256])
async def test_nonce__that_nothing_can_be_signed_over__refused(nonce: int) -> None:
    path = f"/v1/accounts/{MINE_HEX}/nonce"
    gateway = GatewayHttp("http://gateway", serving({path: {"address": MINE_HEX, "nonce": nonce}}))
    with pytest.raises(ProtocolError, match="malformed_message"):
        await gateway.nonce(MINE)


async def test_slot_at__slots_of_no_length__refused_every_time() -> None:
    node = BeaconNode(
        "http://beacon",
        serving(
            {
                "/eth/v1/beacon/genesis": {"data": {"genesis_time": str(GENESIS_S)}},
                "/eth/v1/config/spec": {"data": {"SECONDS_PER_SLOT": "0"}},
            }
        ),
    )
    for _ in range(2):
        with pytest.raises(ProtocolError, match="malformed_message"):
            await node.slot_at(GENESIS_S + 60)
