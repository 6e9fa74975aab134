"""Messages that must be refused, each with its code, and a valid one on the same server afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from websockets.exceptions import ConnectionClosed

from aligned.core.types import ProvingSystem
from tests.integration.batcher.clients import MAX_FEE_WEI, HelloClient, ReferenceClient, User
from tests.integration.batcher.conftest import Running
from tests.integration.batcher.fake_chain import ETH
from tests.integration.batcher.proofs import small


async def test_message__one_gib_announced_inside__refused(client: HelloClient) -> None:
    for head in (
        b"\x5a\x40\x00\x00\x00",
        b"\x9a\x40\x00\x00\x00",
        b"\xba\x40\x00\x00\x00",
        b"\x7a\x40\x00\x00\x00",
    ):
        assert await client.code(b"\xa1\x71verification_data" + head) == "malformed_message"


async def test_frame__one_gib_announced__connection_ends_others_go_on(
    client: HelloClient, batcher: Running
) -> None:
    async with HelloClient(batcher.url) as greedy:
        mask = b"\0\0\0\0"
        greedy.socket.transport.write(b"\x82\xff" + (1 << 30).to_bytes(8, "big") + mask)
        rejected = await greedy.next("Rejected")
        assert (rejected["code"], rejected["limit_bytes"]) == (
            "proof_too_large",
            greedy.terms["max_message_bytes"],
        )
        with pytest.raises(ConnectionClosed) as caught:
            await greedy.read()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xff",
        b"hello",
        b"\x9f\xff",
        b"\xa0",
        b"\x80",
        cbor2.dumps("Valid"),
        cbor2.dumps({"a": 1}),
        b"\xa1" * 99,
    ],
    ids=lambda value: value[:8].hex() or "empty",
)
async def test_message__garbage_cbor__refused(client: HelloClient, garbage: bytes) -> None:
    assert await client.code(garbage) == "malformed_message"


async def test_message__unknown_proving_system__refused(client: HelloClient, user: User) -> None:
    message = user.message(small(), 0)
    message["verification_data"]["verification_data"]["proving_system"] = "Halo2"
    assert await client.code(message) == "unknown_proving_system"


@pytest.mark.parametrize(
    "system", [ProvingSystem.GROTH16_BN254, ProvingSystem.GNARK_PLONK_BN254, ProvingSystem(200)]
)
async def test_message__system_without_verifier__refused(
    client: HelloClient, user: User, system: ProvingSystem
) -> None:
    assert await client.code(user.message(replace(small(), proving_system=system), 0)) == "unsupported_system"


async def test_message__bad_signature__refused(client: HelloClient, user: User) -> None:
    for name, value in (("v", 26), ("r", "0x0"), ("s", hex(2**256 - 1)), ("r", "0x5")):
        message = user.message(small(), 0)
        message["signature"][name] = value
        message["sender"] = "0x" + user.address.hex()
        assert await client.code(message) == "invalid_signature"


async def test_message__signed_by_another_than_named__refused(client: HelloClient, user: User) -> None:
    message = User(0xB0B).message(small(), 0) | {"sender": "0x" + user.address.hex()}
    assert await client.code(message) == "invalid_signature"


async def test_message__changed_after_signing__refused(client: HelloClient, user: User) -> None:
    """Without a named sender another address recovers, which has no money."""
    message = user.message(small(), 0)
    message["verification_data"]["max_fee"] = "0x1"
    assert await client.code(message) == "insufficient_balance"


async def test_nonce__too_high__refused(client: HelloClient, user: User) -> None:
    for nonce in (1, 2**63, 2**256 - 1):
        assert await client.code(user.message(small(), nonce)) == "nonce_too_high"


async def test_nonce__used_on_chain__refused(client: HelloClient, user: User, batcher: Running) -> None:
    account = batcher.chain.accounts[user.address]
    batcher.chain.accounts[user.address] = replace(account, nonce=1)
    assert await client.code(user.message(small(), 0)) == "nonce_used"
    batcher.chain.accounts[user.address] = account


async def test_fee__too_low__refused(client: HelloClient, user: User) -> None:
    assert await client.code(user.message(small(), 0, max_fee_wei=1)) == "fee_too_low"


async def test_fee__cap_on_chain_too_low__refused(client: HelloClient, user: User, batcher: Running) -> None:
    account = batcher.chain.accounts[user.address]
    batcher.chain.accounts[user.address] = replace(account, fee_cap_wei=1)
    assert await client.code(user.message(small(), 0)) == "fee_too_low"
    batcher.chain.accounts[user.address] = account


async def test_balance__too_low__refused(client: HelloClient, user: User, batcher: Running) -> None:
    batcher.chain.fund(user.address, MAX_FEE_WEI - 1)
    assert await client.code(user.message(small(), 0)) == "insufficient_balance"


async def test_balance__unlocked__refused(client: HelloClient, user: User, batcher: Running) -> None:
    account = batcher.chain.accounts[user.address]
    batcher.chain.accounts[user.address] = replace(account, unlock_time_s=1)
    assert await client.code(user.message(small(), 0)) == "funds_unlocked"
    batcher.chain.accounts[user.address] = account


async def test_verifier__disabled_on_chain__refused(
    client: HelloClient, user: User, batcher: Running
) -> None:
    batcher.chain.set_market(disabled_systems=1 << ProvingSystem.RISC0)
    block = (await batcher.get("/v1/quote")).json()["block"]
    while (await batcher.get("/v1/quote")).json()["block"] < block + 2:
        pass
    assert await client.code(user.message(small(), 0)) == "verifier_disabled"
    batcher.chain.set_market(disabled_systems=0)
    block = (await batcher.get("/v1/quote")).json()["block"]
    while (await batcher.get("/v1/quote")).json()["block"] < block + 2:
        pass


async def test_chain_id__wrong__refused(client: HelloClient, user: User) -> None:
    assert await client.code(user.message(small(), 0, chain_id=1)) == "invalid_chain_id"


async def test_payment_service__wrong__refused(client: HelloClient, user: User) -> None:
    assert await client.code(user.message(small(), 0, payment_service=bytes(20))) == "invalid_payment_service"


async def reference_replies(batcher: Running, user: User) -> dict[str, Any]:
    """What the v0.10 client is answered in each case, and that it is answered at all."""
    good, address = small(), "0x" + user.address.hex()
    unknown = user.message(good, 0)
    unknown["verification_data"]["verification_data"]["proving_system"] = "Halo2"
    forged = user.message(good, 0)
    forged["signature"]["v"] = 1
    poor = User(0xDEAD)
    elsewhere = user.message(good, 0, payment_service=bytes(20))
    contracts = ["0x" + "00" * 20, "0x" + user.payment_service.hex()]
    gnark = replace(good, proving_system=ProvingSystem.GROTH16_BN254)
    cases: dict[str, tuple[Any, Any]] = {
        "garbage": (b"\xff", "AddToBatchError"),
        "unknown system": (unknown, {"InvalidProof": "VerifierNotSupported"}),
        "gnark": (user.message(gnark, 0), {"InvalidProof": "VerifierNotSupported"}),
        "empty": (user.message(replace(good, proof=b""), 0), {"InvalidProof": "RejectedProof"}),
        "wrong proof": (user.message(replace(good, pub_input=b"x"), 0), {"InvalidProof": "RejectedProof"}),
        "forged": (forged, "InvalidSignature"),
        "chain id": (user.message(good, 0, chain_id=5), "InvalidChainId"),
        "contract": (elsewhere, {"InvalidPaymentServiceAddress": contracts}),
        "nonce": (user.message(good, 7), "InvalidNonce"),
        "fee": (user.message(good, 0, max_fee_wei=1), "InvalidMaxFee"),
        "poor": (poor.message(good, 0), {"InsufficientBalance": "0x" + poor.address.hex()}),
        "rich offer": (user.message(good, 0, max_fee_wei=2 * ETH), {"InsufficientBalance": address}),
        "size": (user.message(replace(good, proof=bytes(4_200_000)), 0, arrays=False), "ProofTooLarge"),
    }
    wrong = {}
    async with ReferenceClient(batcher.url) as client:
        for name, (message, expected) in cases.items():
            reply = await client.ask(message)
            if reply != expected:
                wrong[name] = reply
        assert await client.ask(user.message(good, 0)) == "Valid"
    return wrong


async def test_reference_client__every_refusal__exact_frames_and_the_connection_goes_on(
    batcher: Running, user: User
) -> None:
    assert await reference_replies(batcher, user) == {}
