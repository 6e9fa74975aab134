"""Every proof that must be refused, with its code, and a valid one on the same server afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from aligned.core.types import ProvingSystem, VerificationData
from tests.integration.batcher.clients import HelloClient, User
from tests.integration.batcher.conftest import Running
from tests.integration.batcher.proofs import VECTORS, circom, risc0, small, sp1

SHARED = Path(__file__).resolve().parents[4] / "shared" / "fixtures"
VALID = {
    "sp1_fib_a": lambda: sp1("fib_a", "fib"),
    "sp1_fib_b": lambda: sp1("fib_b", "fib"),
    "sp1_agg": lambda: sp1("agg", "agg"),
    "risc0_fib3_20": lambda: risc0("fib3_20_composite"),
    "risc0_fib3_30": lambda: risc0("fib3_30_composite"),
    "risc0_groth16": lambda: risc0("groth16_v3"),
    "circom": lambda: circom("preimage_a"),
}
every_proof = pytest.mark.parametrize("make", VALID.values(), ids=VALID.keys())
PROOF_CODES = {
    "malformed_proof",
    "invalid_proof",
    "unsupported_version",
    "key_mismatch",
    "public_input_mismatch",
}
Make = Callable[[], VerificationData]


def flip(blob: bytes, position: int) -> bytes:
    return blob[:position] + bytes([blob[position] ^ 1]) + blob[position + 1 :]


@every_proof
async def test_proof__flipped_byte__refused(client: HelloClient, user: User, make: Make) -> None:
    data = make()
    positions = [len(data.proof) // 3, len(data.proof) - 40]
    if data.proving_system is ProvingSystem.CIRCOM_GROTH16_BN256:
        # In the text of a number; elsewhere a byte may be white space or the name of the protocol.
        positions = [data.proof.index(name) + 15 for name in (b"pi_a", b"pi_b", b"pi_c")]
    for position in positions:
        broken = replace(data, proof=flip(data.proof, position))
        assert await client.code(user.message(broken, 0, arrays=False)) in PROOF_CODES


@every_proof
async def test_proof__truncated__refused(client: HelloClient, user: User, make: Make) -> None:
    data = make()
    # (SP1 only lacks an optional byte when one is cut: the prover network writes it so.)
    for length in (1, len(data.proof) // 2, len(data.proof) - 2):
        broken = replace(data, proof=data.proof[:length])
        assert await client.code(user.message(broken, 0, arrays=False)) in PROOF_CODES


@every_proof
async def test_proof__wrong_public_values__refused(client: HelloClient, user: User, make: Make) -> None:
    data = make()
    assert data.pub_input is not None
    wrong = flip(data.pub_input, 0)
    if data.proving_system is ProvingSystem.CIRCOM_GROTH16_BN256:
        wrong = (VECTORS / "circom/preimage_b.public.json").read_bytes()
    code = await client.code(user.message(replace(data, pub_input=wrong), 0, arrays=False))
    assert code in ("public_input_mismatch", "invalid_proof")


@every_proof
async def test_proof__wrong_key__refused(client: HelloClient, user: User, make: Make) -> None:
    data = make()
    if data.proving_system is ProvingSystem.SP1:
        other = "fib" if data.verification_key == (VECTORS / "sp1/agg.vk").read_bytes() else "agg"
        broken = replace(data, verification_key=(VECTORS / f"sp1/{other}.vk").read_bytes())
    elif data.proving_system is ProvingSystem.CIRCOM_GROTH16_BN256:
        other_key = (VECTORS / "circom/other_verification_key.json").read_bytes()
        broken = replace(data, verification_key=other_key)
    else:
        broken = replace(data, vm_program_code=bytes(range(32)))
    code = await client.code(user.message(broken, 0, arrays=False))
    assert code in ("key_mismatch", "invalid_proof", "malformed_key")


@pytest.mark.parametrize("name", ["fib5_20_composite", "fib5_20_succinct"])
async def test_proof__receipt_of_5_0_0_rc_1__refused(client: HelloClient, user: User, name: str) -> None:
    code = await client.code(user.message(risc0(name), 0, arrays=False))
    assert code in ("unsupported_version", "malformed_proof", "invalid_proof")


async def test_proof__sp1_groth16_of_v6_1_0__accepted(batcher: Running, user: User) -> None:
    file = SHARED / "groth16/sp1.json"
    if not file.exists():
        pytest.skip("the on-chain proofs may not be committed and ../shared is absent")
    entry = next(e for e in json.loads(file.read_text()) if str(e["version"]).startswith("v6.1"))
    raw = {name: bytes.fromhex(entry[name][2:]) for name in ("proofBytes", "publicValues", "programVKey")}
    data = VerificationData(
        ProvingSystem.SP1, raw["proofBytes"], raw["publicValues"], raw["programVKey"], None, bytes(20)
    )
    async with HelloClient(batcher.url) as client:
        assert "Receipt" in await client.ask(user.message(data, 0, arrays=False))


async def test_proof__sp1_v6_0_0__refused(client: HelloClient, user: User) -> None:
    file = SHARED / "groth16/sp1.json"
    if not file.exists():
        pytest.skip("the on-chain proofs may not be committed and ../shared is absent")
    entry = next(e for e in json.loads(file.read_text()) if str(e["version"]).startswith("v6.0"))
    raw = {name: bytes.fromhex(entry[name][2:]) for name in ("proofBytes", "publicValues", "programVKey")}
    data = VerificationData(
        ProvingSystem.SP1, raw["proofBytes"], raw["publicValues"], raw["programVKey"], None, bytes(20)
    )
    code = await client.code(user.message(data, 0, arrays=False))
    assert code in ("unsupported_version", "malformed_proof", "invalid_proof")


async def test_proof__empty_file__refused(client: HelloClient, user: User) -> None:
    assert await client.code(user.message(replace(small(), proof=b""), 0)) == "empty_proof"


async def test_proof__above_the_size_limit__refused(client: HelloClient, user: User) -> None:
    big = replace(small(), proof=bytes(4 * 1024 * 1024))
    assert await client.code(user.message(big, 0, arrays=False)) == "proof_too_large"
