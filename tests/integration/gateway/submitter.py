"""Real proofs, signed and sent as any client would."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from aligned_native import keccak256

from aligned.core.aggregation import AggregationSystem
from aligned.core.eip712 import proof_submission_digest
from aligned.core.signing import address_of, sign_digest
from aligned.storage.aggregation import payments
from aligned.storage.aggregation.payments import Payment
from aligned.storage.postgres import Database

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
CHAIN_ID = 31337
PAYMENT_SERVICE = bytes.fromhex("5f" * 20)
_events = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Proof:
    """What is submitted."""

    system: AggregationSystem
    proof: bytes
    key: bytes
    public_inputs: bytes


@cache
def sp1(name: str = "fib_a", key: str = "fib") -> Proof:
    proof = (VECTORS / f"sp1/{name}.compressed.proof").read_bytes()
    meta = json.loads((VECTORS / "sp1/meta.json").read_text())["proofs"][f"{name}.compressed.proof"]
    values = bytes.fromhex(meta["public_values"][2:])
    return Proof(AggregationSystem.SP1, proof, (VECTORS / f"sp1/{key}.vk").read_bytes(), values)


@cache
def risc0(name: str = "fib3_20_composite", suffix: str = "proof") -> Proof:
    proof, journal, image_id = (
        (VECTORS / f"risc0/{name}.{part}").read_bytes() for part in (suffix, "pub", "id")
    )
    return Proof(AggregationSystem.RISC0, proof, image_id, journal)


@dataclass(frozen=True, slots=True)
class Submitter:
    """An account."""

    private_key: bytes
    chain_id: int = CHAIN_ID
    payment_service: bytes = PAYMENT_SERVICE

    @property
    def address(self) -> bytes:
        return address_of(self.private_key)

    @property
    def hex(self) -> str:
        return "0x" + self.address.hex()

    def sign(self, proof: Proof, nonce: int, deadline_s: int) -> bytes:
        digest = proof_submission_digest(
            proof.system,
            keccak256(proof.proof),
            keccak256(proof.key),
            keccak256(proof.public_inputs),
            nonce,
            deadline_s,
            self.chain_id,
            self.payment_service,
        )
        return sign_digest(self.private_key, digest)

    def form(
        self, proof: Proof, nonce: int, deadline_s: int | None = None, signature: bytes | None = None
    ) -> dict[str, Any]:
        """Arguments for httpx."""
        deadline_s = int(time.time()) + 600 if deadline_s is None else deadline_s
        signature = self.sign(proof, nonce, deadline_s) if signature is None else signature
        return {
            "data": {
                "system": proof.system.wire_name,
                "nonce": str(nonce),
                "deadline": str(deadline_s),
                "signature": "0x" + signature.hex(),
                "proof_hash": "0x" + keccak256(proof.proof).hex(),
                "key_hash": "0x" + keccak256(proof.key).hex(),
                "public_input_hash": "0x" + keccak256(proof.public_inputs).hex(),
            },
            "files": {
                "key": ("key.bin", proof.key),
                "public_inputs": ("public.bin", proof.public_inputs),
                "proof": ("proof.bin", proof.proof),
            },
        }


def submitter(number: int = 1) -> Submitter:
    return Submitter(number.to_bytes(32, "big"))


async def pay(db: Database, address: bytes, proofs: int = 10, **changes: Any) -> Payment:
    """A payment as the poller records it."""
    now_s, number = int(time.time()), next(_events)
    payment = Payment(
        tx_hash=number.to_bytes(32, "big"),
        event_index=0,
        log_index=0,
        kind="payment",
        address=address,
        payer=address,
        amount_wei=10**16,
        proofs=proofs,
        valid_from_s=now_s - 10,
        valid_until_s=now_s + 3600,
        block_number=number,
        block_hash=number.to_bytes(32, "big"),
    )
    payment = replace(payment, **changes)
    async with db.transaction() as conn:
        await payments.record(conn, [payment])
    return payment


async def post(base_url: str, form: dict[str, Any]) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        return await http.post(f"{base_url}/v1/proofs", **form)
