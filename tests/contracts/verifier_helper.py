"""Asking verifiers: what they answer to a proof, and whether they can be created at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from web3.exceptions import ContractCustomError, ContractLogicError

from aligned.chain.abi import contract_abi, decode_error

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "vectors"
SHARED = ROOT.parent / "shared" / "fixtures" / "groth16"
ACCEPTED = "accepted"
GAS_LIMIT = 3_000_000


def verdict(web3: Any, verifier: str, public_inputs: bytes, proof: bytes) -> str:
    """`accepted`, or the error."""
    data = contract_abi("ProofVerifier").functions["verify"].encode(public_inputs, proof)
    return outcome(web3, {"to": verifier, "data": data})


def creation(web3: Any, owner: Any, abi: list[Any], code: str, *args: object) -> str:
    """`accepted`, or the error of the constructor."""
    factory = web3.eth.contract(abi=abi, bytecode=code)
    return outcome(web3, {"from": owner.address, "data": factory.constructor(*args).data_in_transaction})


def outcome(web3: Any, call: dict[str, Any]) -> str:
    try:
        web3.eth.call({"gas": GAS_LIMIT} | call)
    except (ContractCustomError, ContractLogicError) as error:
        data = bytes.fromhex(str(error.data or "0x").removeprefix("0x"))
        return decode_error(data) or f"no known error: {data.hex()}"
    return ACCEPTED


def gas_used(web3: Any, sender: Any, verifier: str, public_inputs: bytes, proof: bytes) -> tuple[int, int]:
    """(status, gas) of a whole transaction with a large limit."""
    data = contract_abi("ProofVerifier").functions["verify"].encode(public_inputs, proof)
    call = {"from": sender.address, "to": verifier, "data": data, "gas": GAS_LIMIT}
    receipt = web3.eth.wait_for_transaction_receipt(web3.eth.send_transaction(call), poll_latency=0.02)
    return receipt["status"], receipt["gasUsed"]


def shared_proofs(name: str) -> list[dict[str, str]]:
    """Real proofs that may not be committed, read from beside the repository; the test is skipped without them."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"../shared/fixtures/groth16/{name} is not here and may not be committed")
    loaded: list[dict[str, str]] = json.loads(path.read_text())
    return loaded


def raw(text: str) -> bytes:
    """Bytes of 0x-hexadecimal."""
    return bytes.fromhex(text.removeprefix("0x"))
