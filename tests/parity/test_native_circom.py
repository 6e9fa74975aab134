"""Circom Groth16: snarkjs' JSON, taken strictly."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.parity.native import Sample, circom, data, raw, vector
from tests.reference.bls import P, R, outside_subgroup

A, B = circom("a"), circom("b")
OTHER_KEY = raw("circom/other_verification_key.json")
INPUTS = [int(text) for text in json.loads(A.public_input or b"")]
INVALID_G1 = {
    name: point for name, point in vector("bls/invalid_points.json")["g1"].items() if len(point) == 130
}


def words(point: bytes) -> list[str]:
    """Decimal text of each 32 bytes."""
    return [str(int.from_bytes(point[i : i + 32], "big")) for i in range(0, len(point), 32)]


def with_change(document: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The JSON document after a change in place."""
    content = json.loads(document)
    change(content)
    return json.dumps(content).encode()


def proof_code(change: Callable[[dict[str, Any]], Any]) -> str:
    """Code for a changed proof."""
    return A.code(proof=with_change(A.proof, change))


def key_code(change: Callable[[dict[str, Any]], Any]) -> str:
    """Code for a changed key."""
    return A.code(key=with_change(A.key, change))


def big_endian(*values: int) -> bytes:
    """32 bytes for each."""
    return b"".join(value.to_bytes(32, "big") for value in values)


def test_verify_circom__inputs_as_list_or_bytes__are_the_same() -> None:
    assert A.code() == "ok"
    assert A.code(public_input=big_endian(*INPUTS)) == "ok"
    assert A.code(public_input=json.dumps([str(value) for value in INPUTS]).encode()) == "ok"


def test_verify_circom__other_inputs__are_refused() -> None:
    assert A.code(public_input=B.public_input) == "invalid_proof"
    assert A.code(public_input=big_endian(INPUTS[0], INPUTS[1] + 1)) == "invalid_proof"
    assert A.code(public_input=big_endian(*reversed(INPUTS))) == "invalid_proof"


def test_verify_circom__input_not_below_the_order__is_refused() -> None:
    """x + r is the same input to the circuit: one statement must not have several encodings."""
    for value in (INPUTS[1] + R, R, 2**256 - 1):
        assert A.code(public_input=big_endian(INPUTS[0], value)) == "malformed_public_input"
        texts = [str(INPUTS[0]), str(value)]
        assert A.code(public_input=json.dumps(texts).encode()) == "malformed_public_input"


@pytest.mark.parametrize(
    "text",
    ["", " 89", "89 ", "089", "+89", "-89", "0x59", "8.9e1", "89.0", "８９", "9" * 78, "1" + "0" * 5000, "x"],
)
def test_verify_circom__input_not_in_shortest_decimal_form__is_refused(text: str) -> None:
    inputs = json.dumps([str(INPUTS[0]), text]).encode()
    assert A.code(public_input=inputs) == "malformed_public_input"


@pytest.mark.parametrize("inputs", [[], INPUTS[:1], [*INPUTS, 0]], ids=len)
def test_verify_circom__wrong_number_of_inputs__is_refused(inputs: list[int]) -> None:
    words = big_endian(*inputs)
    assert A.code(public_input=words) == ("malformed_public_input" if words else "missing_public_input")
    listed = json.dumps([str(value) for value in inputs]).encode()
    assert A.code(public_input=listed) == "malformed_public_input"


@pytest.mark.parametrize("inputs", [b"x", b"[", b"[1, 2]", b"[null]", b'{"a": 1}', b'["1"] x', b"\xff" * 33])
def test_verify_circom__inputs_of_another_form__are_refused(inputs: bytes) -> None:
    assert A.code(public_input=inputs) == "malformed_public_input"


def test_verify_circom__key_of_another_ceremony__is_refused() -> None:
    assert A.code(key=OTHER_KEY) == "invalid_proof"


def test_verify_circom__proof_of_other_inputs__is_refused() -> None:
    assert A.code(proof=B.proof) == "invalid_proof"


def test_verify_circom__points_exchanged_or_negated__are_refused() -> None:
    def exchange(proof: dict[str, Any]) -> None:
        proof["pi_a"], proof["pi_c"] = proof["pi_c"], proof["pi_a"]

    def negate(proof: dict[str, Any]) -> None:
        proof["pi_a"][1] = str(P - int(proof["pi_a"][1]))

    assert proof_code(exchange) == "invalid_proof"
    assert proof_code(negate) == "invalid_proof"


@pytest.mark.parametrize("name", INVALID_G1)
@pytest.mark.parametrize("field", ["pi_a", "pi_c"])
def test_verify_circom__invalid_g1_in_proof__is_malformed(field: str, name: str) -> None:
    point = [*words(data(INVALID_G1[name])), "1"]
    assert proof_code(lambda proof: proof.__setitem__(field, point)) == "malformed_proof"


@pytest.mark.parametrize("name", INVALID_G1)
def test_verify_circom__invalid_g1_in_key__is_malformed(name: str) -> None:
    point = [*words(data(INVALID_G1[name])), "1"]
    assert key_code(lambda key: key.__setitem__("vk_alpha_1", point)) == "malformed_key"
    for index in range(3):
        assert key_code(lambda key, i=index: key["IC"].__setitem__(i, point)) == "malformed_key"


def twist_cases() -> dict[str, list[list[str]]]:
    """pi_b that are no usable G2 points."""
    [x, y, z] = json.loads(A.proof)["pi_b"]
    im_x, re_x, im_y, re_y = words(outside_subgroup())
    return {
        "outside_subgroup": [[re_x, im_x], [re_y, im_y], z],
        "off_curve": [x, [y[0], str(int(y[1]) ^ 1)], z],
        "parts_swapped": [x[::-1], y[::-1], z],
        "x_plus_p": [[str(int(x[0]) + P), x[1]], y, z],
        "y_plus_p": [x, [y[0], str(int(y[1]) + P)], z],
        "all_zero": [["0", "0"], ["0", "0"], ["1", "0"]],
        "infinity": [["0", "0"], ["1", "0"], ["0", "0"]],
    }


@pytest.mark.parametrize("name", twist_cases())
def test_verify_circom__invalid_g2__is_malformed(name: str) -> None:
    point = twist_cases()[name]
    assert proof_code(lambda proof: proof.__setitem__("pi_b", point)) == "malformed_proof"
    for field in ("vk_beta_2", "vk_gamma_2", "vk_delta_2"):
        assert key_code(lambda key, f=field: key.__setitem__(f, point)) == "malformed_key"


def test_verify_circom__infinity_as_snarkjs_writes_it__is_malformed() -> None:
    infinity = ["0", "1", "0"]
    assert proof_code(lambda proof: proof.__setitem__("pi_a", infinity)) == "malformed_proof"
    assert key_code(lambda key: key["IC"].__setitem__(1, infinity)) == "malformed_key"


def test_verify_circom__projective_point_not_normalised__is_malformed() -> None:
    for z in ("2", "0", "01", str(P + 1)):
        assert proof_code(lambda proof, z=z: proof["pi_a"].__setitem__(2, z)) == "malformed_proof"
    assert proof_code(lambda proof: proof["pi_b"].__setitem__(2, ["1", "1"])) == "malformed_proof"


PROOF_CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "other protocol": lambda proof: proof.__setitem__("protocol", "plonk"),
    "other curve": lambda proof: proof.__setitem__("curve", "bls12381"),
    "no protocol": lambda proof: proof.pop("protocol"),
    "curve null": lambda proof: proof.__setitem__("curve", None),
    "no point": lambda proof: proof.pop("pi_b"),
    "unknown field": lambda proof: proof.__setitem__("extra", 1),
    "number for text": lambda proof: proof["pi_a"].__setitem__(2, 1),
    "null": lambda proof: proof.__setitem__("pi_c", None),
    "two coordinates": lambda proof: proof["pi_a"].pop(),
    "four coordinates": lambda proof: proof["pi_a"].append("0"),
    "text for list": lambda proof: proof.__setitem__("pi_a", "1"),
}


@pytest.mark.parametrize("name", PROOF_CHANGES)
def test_verify_circom__proof_of_another_form__is_malformed(name: str) -> None:
    assert proof_code(PROOF_CHANGES[name]) == "malformed_proof"


def test_verify_circom__proof_without_curve__is_that_of_the_key() -> None:
    """rapidsnark writes none; a key without it is none of snarkjs'."""
    assert proof_code(lambda proof: proof.pop("curve")) == "ok"
    assert key_code(lambda key: key.pop("curve")) == "malformed_key"


KEY_CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "other protocol": lambda key: key.__setitem__("protocol", "plonk"),
    "other curve": lambda key: key.__setitem__("curve", "bls12381"),
    "unknown field": lambda key: key.__setitem__("extra", 1),
    "no IC": lambda key: key.pop("IC"),
    "empty IC": lambda key: key.__setitem__("IC", []),
    "IC too short": lambda key: key["IC"].pop(),
    "nPublic too small": lambda key: key.__setitem__("nPublic", 1),
    "nPublic is text": lambda key: key.__setitem__("nPublic", "2"),
    "nPublic negative": lambda key: key.__setitem__("nPublic", -1),
    "nPublic huge": lambda key: key.__setitem__("nPublic", 2**64 - 1),
}


@pytest.mark.parametrize("name", KEY_CHANGES)
def test_verify_circom__key_of_another_form__is_malformed(name: str) -> None:
    assert key_code(KEY_CHANGES[name]) == "malformed_key"


def test_verify_circom__field_given_twice__is_malformed() -> None:
    """Two readers could take different ones."""
    twice = A.proof.rstrip()[:-1] + b', "protocol": "groth16"}'
    assert A.code(proof=twice) == "malformed_proof"


@pytest.mark.parametrize(
    "document",
    [b" ", b"{}", b"[]", b"null", b"[" * 100_000, b'{"pi_a": ' * 10_000, b"\xff\xfe", b'"\\ud800"'],
)
def test_verify_circom__hostile_json__is_malformed(document: bytes) -> None:
    assert A.code(proof=document) == "malformed_proof"
    assert A.code(key=document) == "malformed_key"


def test_verify_circom__pairing_stated_in_the_key__is_not_trusted() -> None:
    """vk_alphabeta_12 could be forged; it is recomputed, and a key without it is as good."""
    assert key_code(lambda key: key.pop("vk_alphabeta_12")) == "ok"
    assert key_code(lambda key: key.__setitem__("vk_alphabeta_12", [[["1", "2"]]])) == "ok"


def test_verify_circom__reason__quotes_little_of_what_was_sent() -> None:
    sample: Sample = replace(
        A, proof=with_change(A.proof, lambda proof: proof.__setitem__("pi_a", ["9" * 9999] * 3))
    )
    assert len(sample.verdict().reason) <= 300
