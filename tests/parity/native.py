"""What the tests of the native extension share: vectors, real proofs, files that may be absent."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aligned_native as native
import pytest

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "vectors"
SHARED = ROOT.parent / "shared" / "fixtures"


def vector(name: str) -> Any:
    """A JSON file of tests/vectors."""
    return json.loads((VECTORS / name).read_text())


def raw(name: str) -> bytes:
    """A file of tests/vectors."""
    return (VECTORS / name).read_bytes()


def unhex(text: str | None) -> bytes | None:
    """Bytes of 0x text, None for null."""
    return None if text is None else bytes.fromhex(text[2:])


def data(text: str) -> bytes:
    """Bytes of 0x text."""
    return bytes.fromhex(text.removeprefix("0x"))


@dataclass(frozen=True)
class Sample:
    """A real proof with what it is verified against."""

    system: str
    proof: bytes
    public_input: bytes | None
    key: bytes

    def verdict(self) -> native.Verdict:
        """What the extension says about it."""
        if self.system == "sp1":
            return native.verify_sp1(self.proof, self.public_input, self.key, None)
        if self.system == "risc0":
            return native.verify_risc0(self.proof, self.public_input, self.key)
        assert self.public_input is not None
        return native.verify_circom_groth16(self.proof, self.public_input, self.key)

    def code(self, **changes: Any) -> str:
        """The verdict's code after some changes; a verdict must be consistent in itself."""
        verdict = replace(self, **changes).verdict()
        assert verdict.valid == (verdict.code == "ok") == (verdict.reason == "")
        return verdict.code

    def flipped(self, position: int, mask: int = 0x01) -> Sample:
        """The same with bits of one byte of the proof inverted."""
        changed = bytearray(self.proof)
        changed[position] ^= mask
        return replace(self, proof=bytes(changed))


def sp1(name: str, program: str) -> Sample:
    """One of the saved SP1 proofs."""
    meta = vector("sp1/meta.json")
    file = f"{name}.compressed.proof"
    return Sample(
        "sp1", raw(f"sp1/{file}"), data(meta["proofs"][file]["public_values"]), raw(f"sp1/{program}.vk")
    )


def risc0(name: str, form: str = "proof") -> Sample:
    """One of the RISC Zero receipts, as InnerReceipt (proof) or Receipt (receipt)."""
    return Sample("risc0", raw(f"risc0/{name}.{form}"), raw(f"risc0/{name}.pub"), raw(f"risc0/{name}.id"))


def circom(name: str) -> Sample:
    """One of the Circom proofs."""
    key = raw("circom/verification_key.json")
    return Sample(
        "circom", raw(f"circom/preimage_{name}.proof.json"), raw(f"circom/preimage_{name}.public.json"), key
    )


ACCEPTED = {
    "sp1_fib_a": sp1("fib_a", "fib"),
    "sp1_fib_b": sp1("fib_b", "fib"),
    "sp1_agg": sp1("agg", "agg"),
    "risc0_fib3_20": risc0("fib3_20_composite"),
    "risc0_fib3_20_receipt": risc0("fib3_20_composite", "receipt"),
    "risc0_fib3_30": risc0("fib3_30_composite"),
    "risc0_fib3_30_receipt": risc0("fib3_30_composite", "receipt"),
    "risc0_succinct": risc0("zkverify/3.0.0_succinct_16", "receipt"),
    "risc0_groth16": risc0("groth16_v3"),
    "circom_a": circom("a"),
    "circom_b": circom("b"),
}


def on_chain_sp1(selector: str) -> Sample:
    """A proof from real transactions, which may not be copied: the test is skipped where the file is absent."""
    file = SHARED / "groth16" / "sp1.json"
    if not file.exists():
        pytest.skip("../shared/fixtures/groth16/sp1.json is not here and may not be committed")
    [entry] = [entry for entry in json.loads(file.read_text()) if entry["selector"] == selector]
    return Sample("sp1", data(entry["proofBytes"]), data(entry["publicValues"]), data(entry["programVKey"]))
