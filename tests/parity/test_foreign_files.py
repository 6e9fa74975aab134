"""Files of another kind or version: the refusal says what was given, what was expected and what to do."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import aligned_native as native
import pytest

from aligned.core.types import ProvingSystem, VerificationData
from aligned.verifiers.base import check_size
from aligned.verifiers.registry import get_verifier
from tests.parity.native import Sample, circom, raw, risc0, sp1
from tests.reference.bls import R
from tests.reference.groth16 import make

SP1, RISC0, CIRCOM = sp1("fib_a", "fib"), risc0("fib3_20_composite"), circom("a")
TAIL = (6).to_bytes(8, "little") + b"v6.1.0" + b"\x00"
EVERYWHERE = {
    "text with a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16 text": "{}".encode("utf-16"),
    "gzip": gzip.compress(b"x"),
    "zip archive": b"PK\x03\x04" + bytes(30),
    "hexadecimal text": b"0x" + b"ab" * 100 + b"\n",
    "Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n",
    "web page": b"<!DOCTYPE html><title>404</title>",
}


def refused(sample: Sample, code: str, *words: str) -> None:
    """The verdict has this code, and its reason these words."""
    verdict = sample.verdict()
    assert (verdict.valid, verdict.code) == (False, code), verdict
    for word in words:
        assert word in verdict.reason, verdict.reason


@pytest.mark.parametrize("kind", EVERYWHERE)
@pytest.mark.parametrize(
    ("sample", "wanted"),
    [(SP1, "proof.save"), (RISC0, "bincode::serialize"), (CIRCOM, "proof.json")],
    ids=["sp1", "risc0", "circom"],
)
def test_verify__proof_file_of_another_kind__is_named(sample: Sample, wanted: str, kind: str) -> None:
    refused(replace(sample, proof=EVERYWHERE[kind]), "malformed_proof", kind, wanted)


@pytest.mark.parametrize("sample", [SP1, RISC0], ids=["sp1", "risc0"])
def test_verify__key_as_hexadecimal_text__is_named(sample: Sample) -> None:
    text = sample.key.hex().encode() + b"\n"
    refused(replace(sample, key=text), "malformed_key", "hexadecimal text", "bytes")


@pytest.mark.parametrize(
    ("proof", "kind"),
    [
        (b'{"proof":{"Compressed":{}}}', "JSON"),
        (SP1.proof.removesuffix(TAIL)[: -8 - len(SP1.public_input or b"")], "`proof` alone"),
        (SP1.proof[:-1] + b"\x01" + (3).to_bytes(8, "little") + b"tee", "TEE"),
        (bytes(12) + bytes(8) + TAIL, "Core"),
    ],
    ids=["json", "without_wrapper", "attestation", "core"],
)
def test_verify_sp1__other_form_of_a_proof__is_named(proof: bytes, kind: str) -> None:
    changed = replace(SP1, proof=proof)
    refused(changed, "unsupported_version" if kind == "Core" else "malformed_proof", kind)
    assert ("save" in changed.verdict().reason) or (".compressed()" in changed.verdict().reason)


@pytest.mark.parametrize(
    "head", [b"", b"\x01\x00\x00\x00", b"\x9c\x00\x00\x00"], ids=["none", "compressed", "no_kind"]
)
@pytest.mark.parametrize("version", ["v1.0.8-testnet", "v1.0.1", "v3.0.0-rc3", "v5.0.0", "v6.0.0"])
def test_verify_sp1__file_of_another_version__says_both_and_what_to_do(version: str, head: bytes) -> None:
    proof = head + b"\x07" * 5_000 + len(version).to_bytes(8, "little") + version.encode()
    refused(
        replace(SP1, proof=proof),
        "unsupported_version",
        version,
        "v6.1.0",
        "sp1-sdk",
        "6.1 to 6.10",
        "update",
    )


def test_verify_sp1__old_version_with_a_program_as_key__version_is_said_first() -> None:
    """Who has an old proof shall not be sent to make a key for it."""
    old = SP1.proof.removesuffix(TAIL) + (6).to_bytes(8, "little") + b"v3.0.0"
    for key in (b"\x7fELF" + bytes(100), b"", b"x"):
        refused(replace(SP1, proof=old, key=key), "unsupported_version", "v3.0.0")


def test_verify_sp1__public_values_as_hexadecimal_text__is_named() -> None:
    values = SP1.public_input or b""
    refused(
        replace(SP1, public_input=values.hex().encode()),
        "public_input_mismatch",
        "hexadecimal",
        str(len(values)),
    )
    refused(
        replace(SP1, public_input=values[:-1]),
        "public_input_mismatch",
        str(len(values)),
        str(len(values) - 1),
    )


@pytest.mark.parametrize("form", ["proof", "receipt"])
def test_verify_risc0__journal_as_hexadecimal_text__is_named(form: str) -> None:
    sample = risc0("fib3_20_composite", form)
    journal = sample.public_input or b""
    refused(
        replace(sample, public_input=journal.hex().encode()), "public_input_mismatch", "hexadecimal", "16"
    )
    refused(replace(sample, public_input=None), "missing_public_input", "receipt.journal.bytes")


def test_file_kind__what_can_be_told__is() -> None:
    assert native.file_kind(b'{"a": 1}') == "JSON"
    assert native.file_kind(CIRCOM.key) == "a Groth16 verification key"
    assert native.file_kind(SP1.proof) is None


@pytest.mark.parametrize(
    ("proof", "kind"),
    [
        (b'{"inner":{"Composite":{}}}', "JSON"),
        (b"\xa3\x65inner\xa1", "CBOR"),
        (b"\x01" + (50_000).to_bytes(4, "little") + bytes(100), "Borsh"),
    ],
    ids=["json", "cbor", "borsh"],
)
def test_verify_risc0__other_encoding_of_a_receipt__is_named(proof: bytes, kind: str) -> None:
    refused(replace(RISC0, proof=proof), "malformed_proof", kind, "bincode::serialize")


@pytest.mark.parametrize(
    ("name", "version"),
    [("1.2.0_succinct_16", "1.2"), ("2.3.0_succinct_16", "2.3")],
)
def test_verify_risc0__older_receipt__both_versions_are_named(name: str, version: str) -> None:
    sample = Sample("risc0", *(raw(f"risc0/zkverify/{name}.{form}") for form in ("receipt", "pub", "id")))
    refused(sample, "unsupported_version", f"RISC Zero {version},", "expected RISC Zero 3.0", "risc0-zkvm")


@pytest.mark.parametrize("name", ["fib5_20_composite", "fib5_20_succinct"])
def test_verify_risc0__newer_receipt__both_versions_are_named(name: str) -> None:
    refused(risc0(name), "unsupported_version", "5.0.0-rc.1", "expected RISC Zero 3.0")


def test_verify_risc0__unknown_parameters__are_quoted() -> None:
    refused(replace(RISC0, proof=RISC0.proof[:-32] + b"\xab" * 32), "unsupported_version", "abababababababab")


CIRCOM_FILES = {
    "zkey": b"zkey\x01\x00\x00\x00" + bytes(100),
    "witness": b"wtns\x02\x00\x00\x00" + bytes(100),
    "of PLONK": json.dumps({"A": ["1"], "protocol": "plonk", "curve": "bn128"}).encode(),
    "of fflonk": json.dumps({"polynomials": {}, "protocol": "fflonk", "curve": "bn128"}).encode(),
    "fullProve": json.dumps({"proof": json.loads(CIRCOM.proof), "publicSignals": ["1"]}).encode(),
    "gnark": json.dumps({"Ar": {}, "Krs": {}, "Bs": {}}).encode(),
    "Pinocchio": json.dumps({"pi_a": [], "pi_ap": []}).encode(),
    "a list": b'[["1","2"],[["1","2"],["3","4"]],["5","6"]]',
}


@pytest.mark.parametrize("kind", CIRCOM_FILES)
def test_verify_circom__file_of_another_kind__is_named(kind: str) -> None:
    refused(replace(CIRCOM, proof=CIRCOM_FILES[kind]), "malformed_proof", kind, "proof.json")
    refused(replace(CIRCOM, key=CIRCOM_FILES[kind]), "malformed_key", kind, "verification_key.json")


def test_verify_circom__files_exchanged__are_named() -> None:
    refused(replace(CIRCOM, proof=CIRCOM.key), "malformed_proof", "verification key")
    refused(replace(CIRCOM, key=CIRCOM.proof), "malformed_key", "Groth16 proof")
    refused(
        replace(CIRCOM, public_input=CIRCOM.proof), "malformed_public_input", "Groth16 proof", "public.json"
    )
    refused(replace(CIRCOM, public_input=b"0x" + b"00" * 32), "malformed_public_input", "hexadecimal text")


def test_verify_circom__no_inputs_where_the_key_has_some__are_missing() -> None:
    refused(replace(CIRCOM, public_input=b""), "missing_public_input", "public.json", "2")
    proof, inputs, key = make([]).as_bytes()
    assert Sample("circom", proof, b"", key).code() == "ok"
    assert Sample("circom", proof, inputs, key).code() == "ok"


def test_verify_circom__more_inputs_than_may_be__are_refused_before_the_points_are_read() -> None:
    proof, _, key = make([1]).as_bytes()
    point = b'["1","2","1"]'
    many = key[: key.index(b'"IC"')] + b'"IC": [' + b",".join([point] * 90_001) + b"]}"
    refused(
        Sample("circom", proof, b"", many.replace(b'"nPublic": 1', b'"nPublic": 90000')),
        "too_many_public_inputs",
        "90000",
        "4096",
    )


def test_verify_circom__key_of_tiny_points__is_refused() -> None:
    """A batch of such keys would cost operators many times what its size says."""
    proof, _, key = make([1]).as_bytes()
    tiny = key[: key.index(b'"IC"')] + b'"IC": [' + b",".join([b'["1","2","1"]'] * 1_000) + b"]}"
    sample = Sample("circom", proof, b"", tiny.replace(b'"nPublic": 1', b'"nPublic": 999'))
    refused(sample, "malformed_key", "1000 points", "real setup")


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 700])
def test_verify_circom__any_number_of_inputs__verifies_and_each_is_bound(count: int) -> None:
    """The inputs are weighed together; none may be left out, at either end of what the algorithm divides them into."""
    files = make([pow(index * 7919 + 1, 17, R) for index in range(count)])
    sample = Sample("circom", *files.as_bytes())
    assert sample.code() == "ok"
    for position in {0, count // 2, count - 1} if count else ():
        changed = [*files.inputs]
        changed[position] = str(int(changed[position]) + 1)
        assert sample.code(public_input=json.dumps(changed).encode()) == "invalid_proof"


def test_verify_circom__3000_inputs_as_snarkjs_writes_them__are_within_all_limits() -> None:
    """As many as a proof about an e-mail has, each as long as can be, and with white space."""
    files = make([R - 1 - index for index in range(3_000)]).as_bytes()
    data = VerificationData(ProvingSystem.CIRCOM_GROTH16_BN256, *files, None, bytes(20))
    verifier = get_verifier(ProvingSystem.CIRCOM_GROTH16_BN256)
    assert check_size(verifier, data) is None
    assert verifier.verify(data).valid


def test_verify_circom__inputs_that_cancel__are_weighed_as_their_sum() -> None:
    """Zero, equal and opposite parts: where a point addition has its special cases."""
    for inputs in ([0] * 40, [1] * 40, [1, R - 1] * 20, [R - 1] * 33):
        assert Sample("circom", *make(inputs).as_bytes()).code() == "ok"
