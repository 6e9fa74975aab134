"""Groth16 files as tools write them, taken into the one form that the verifiers take."""

from __future__ import annotations

import contextlib
import copy
import json
import warnings
from pathlib import Path
from typing import Any

import aligned_native as native
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aligned.core.errors import ProofError
from aligned.sdk.circom import CircomFiles, canonical, normalise
from aligned.sdk.proof_warnings import (
    KEY_WITHOUT_CEREMONY,
    UnsafeProof,
    key_warnings,
    proof_warnings,
    warn_of,
)
from tests.reference.bls import R
from tests.reference.groth16 import make
from tests.reference.spellings import SPELLINGS, Values, calldata, contract_bytes, spelled

VECTORS = Path(__file__).parents[2] / "vectors" / "circom"
PROOF, PUBLIC, KEY = (
    (VECTORS / name).read_bytes()
    for name in ("preimage_a.proof.json", "preimage_a.public.json", "verification_key.json")
)
VALUES: Values = {"proof": json.loads(PROOF), "public": json.loads(PUBLIC), "key": json.loads(KEY)}
_PROOF_NAMES = ("pi_a", "pi_b", "pi_c", "protocol", "curve")
_KEY_NAMES = ("protocol", "curve", "nPublic", "vk_alpha_1", "vk_beta_2", "vk_gamma_2", "vk_delta_2", "IC")
CANONICAL = (
    canonical({name: VALUES["proof"][name] for name in _PROOF_NAMES}),
    canonical(VALUES["public"]),
    canonical({name: VALUES["key"][name] for name in _KEY_NAMES}),
)


def written(values: Values, indent: int | None = None) -> tuple[bytes, bytes, bytes]:
    """The three files."""
    proof, public, key = (
        json.dumps(values[name], indent=indent).encode() for name in ("proof", "public", "key")
    )
    return proof, public, key


def code(files: CircomFiles) -> str:
    """What the core says."""
    return native.verify_circom_groth16(
        files.proof, files.public_input or b"", files.verification_key or b""
    ).code


def again(files: CircomFiles) -> CircomFiles:
    """The files through it once more."""
    return normalise(files.proof, files.public_input, files.verification_key)


def test_normalise__files_that_the_core_takes__stay_byte_for_byte() -> None:
    words = b"".join(int(text).to_bytes(32, "big") for text in VALUES["public"])
    for public in (PUBLIC, words, CANONICAL[1]):
        files = normalise(PROOF, public, KEY)
        assert (files.proof, files.public_input, files.verification_key) == (PROOF, public, KEY)
        assert files.changes == ()
        assert code(files) == "ok"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(SPELLINGS)), unique=True, max_size=6), st.sampled_from([None, 1, 4]))
def test_normalise__any_mix_of_spellings__is_valid_one_form_and_stays_so(
    names: list[str], indent: int | None
) -> None:
    try:
        given_files = written(spelled(VALUES, names), indent)
    except (TypeError, ValueError, KeyError):  # a spelling that cannot come after another
        return
    files = normalise(*given_files)
    assert code(files) == "ok"
    for own, form, before in zip(
        (files.proof, files.public_input, files.verification_key), CANONICAL, given_files, strict=True
    ):
        assert own in (form, before)
    assert again(files).changes == ()
    assert again(files).proof == files.proof


@pytest.mark.parametrize("name", SPELLINGS)
def test_normalise__spelling__is_refused_by_the_core_or_left_alone(name: str) -> None:
    """What was changed is said; what is not said was not changed."""
    before = written(spelled(VALUES, [name]))
    files = normalise(*before)
    assert code(files) == "ok"
    is_strict = native.verify_circom_groth16(*before).code == "ok"
    assert is_strict == (files.changes == ())
    assert is_strict == ((files.proof, files.public_input, files.verification_key) == before)


@pytest.mark.parametrize("name", SPELLINGS)
def test_normalise__spelling_of_a_false_statement__is_still_refused(name: str) -> None:
    values = copy.deepcopy(VALUES)
    values["public"][1] = str(int(values["public"][1]) + 1)
    assert code(normalise(*written(spelled(values, [name])))) == "invalid_proof"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_normalise__other_encoding_of_the_text__is_written_as_utf8(encoding: str) -> None:
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    files = normalise(*(mark + content.decode().encode(encoding) for content in (PROOF, PUBLIC, KEY)))
    assert code(files) == "ok"
    assert (files.proof, files.public_input, files.verification_key) == CANONICAL


@pytest.mark.parametrize("space", [b"\n", b" \r\n\t"])
def test_normalise__white_space_around__is_no_matter(space: bytes) -> None:
    files = normalise(space + PROOF + space, space + PUBLIC + space, space + KEY)
    assert code(files) == "ok"
    assert files.public_input == CANONICAL[1]


COMBINED: dict[str, Any] = {
    "fullProve": {"proof": VALUES["proof"], "publicSignals": VALUES["public"]},
    "with key": {"proof": VALUES["proof"], "public": VALUES["public"], "vkey": VALUES["key"]},
    "xy points": {
        "a": dict(zip("xy", VALUES["proof"]["pi_a"], strict=False)),
        "b": {"x": VALUES["proof"]["pi_b"][0], "y": VALUES["proof"]["pi_b"][1]},
        "c": dict(zip("xy", VALUES["proof"]["pi_c"], strict=False)),
        "inputs": VALUES["public"],
    },
    "call": json.loads(f"[{calldata(VALUES)}]"),
}


@pytest.mark.parametrize("name", COMBINED)
def test_normalise__one_file_for_all__is_taken_apart(name: str) -> None:
    files = normalise(json.dumps(COMBINED[name]).encode(), None, KEY)
    assert (files.proof, files.public_input) == CANONICAL[:2]
    assert code(files) == "ok"
    assert files.changes
    assert normalise(files.proof, files.public_input, files.verification_key).changes == ()


def test_normalise__key_in_the_same_file__is_taken_from_there() -> None:
    files = normalise(json.dumps(COMBINED["with key"]).encode())
    assert files.verification_key == CANONICAL[2]
    assert code(files) == "ok"


def test_normalise__given_inputs__win_over_those_beside_the_proof() -> None:
    other = json.dumps(["1", "2"]).encode()
    files = normalise(json.dumps(COMBINED["fullProve"]).encode(), other, KEY)
    assert files.public_input == other
    assert code(files) == "invalid_proof"


def test_normalise__fullprove_file_as_public_inputs__they_are_found() -> None:
    both = json.dumps(COMBINED["fullProve"]).encode()
    files = normalise(both, both, KEY)
    assert files.public_input == CANONICAL[1]


@pytest.mark.parametrize("form", ["text", "bytes", "hex", "list"])
def test_normalise__arguments_of_a_contract_call__are_taken(form: str) -> None:
    raw = contract_bytes(VALUES)
    words = [str(int.from_bytes(raw[i : i + 32], "big")) for i in range(0, 256, 32)]
    content = {
        "text": calldata(VALUES).encode() + b"\n",
        "bytes": raw,
        "hex": b"0x" + raw.hex().encode() + b"\n",
        "list": json.dumps(words).encode(),
    }[form]
    files = normalise(content, PUBLIC, KEY)
    assert files.proof == CANONICAL[0]
    assert code(files) == "ok"


@pytest.mark.parametrize(
    ("proof", "word"),
    [
        (b"", "empty file"),
        (b"zkey\x01\x00\x00\x00\xff", "zkey"),
        (b"{", "JSON"),
        (b'{"protocol": "plonk", "A": ["1"]}', "plonk"),
        (b'{"protocol": "fflonk", "polynomials": {}}', "fflonk"),
        (json.dumps({**VALUES["proof"], "curve": "bls12381"}).encode(), "bls12381"),
        (KEY, "no points"),
        (b"[1, 2]", "list of 2"),
        (b"7", "neither"),
        (b"[" * 100_000, ""),
        (PROOF.rstrip()[:-1] + b', "protocol": "groth16"}', "twice"),
        (PROOF.replace(b'"1"', b"1.0"), "fraction"),
        (PROOF.replace(b'"1"', b"NaN"), "fraction"),
        (PROOF.replace(b'"1"', b'"-1"'), "whole number"),
        (PROOF.replace(b'"1"', b"9" * 5_000), "whole number"),
        (PROOF.replace(b'"1"', b'"0"'), "infinity"),
        (PROOF.replace(b'"1"', b"null"), "whole number"),
    ],
)
def test_normalise__what_is_no_proof__is_refused_with_the_reason(proof: bytes, word: str) -> None:
    with pytest.raises(ProofError) as refusal:
        normalise(proof, PUBLIC, KEY)
    assert refusal.value.code == "malformed_proof"
    assert word in refusal.value.message


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_normalise__any_bytes__are_taken_or_refused_with_a_code(content: bytes) -> None:
    for files in ((content, PUBLIC, KEY), (PROOF, content, KEY), (PROOF, PUBLIC, content)):
        with contextlib.suppress(ProofError):
            normalise(*files)


def test_normalise__input_not_below_the_order__is_left_to_the_core() -> None:
    """x + r is the same to the circuit; only a verifier that reduced it would take it."""
    public = json.dumps([str(int(VALUES["public"][0]) + R), VALUES["public"][1]]).encode()
    assert code(normalise(PROOF, public, KEY)) == "malformed_public_input"


def test_normalise__file_beyond_all_bounds__is_not_read() -> None:
    with pytest.raises(ProofError, match="proof_too_large"):
        normalise(PROOF, b"[" + b'"1",' * 2_000_000, KEY)


def test_key_warnings__key_without_contribution__anybody_can_prove_anything() -> None:
    """A = α, B = β, C = −vk_x is a proof of any inputs; the verdict is right, and the user is told."""
    weak = make([5, 6], delta=7)  # γ is 7 there as well
    files = normalise(*weak.as_bytes())
    assert code(files) == "ok"
    assert [warning.code for warning in files.warnings] == [KEY_WITHOUT_CEREMONY]
    assert "ANYBODY" in files.warnings[0].message
    assert proof_warnings(files.data()) == files.warnings


def test_warn_of__many_proofs_under_a_key_without_ceremony__one_warning() -> None:
    weak = normalise(*make([5], delta=7).as_bytes()).data()
    good = normalise(PROOF, PUBLIC, KEY).data()
    with pytest.warns(UnsafeProof, match="key_without_ceremony.*ANYBODY") as issued:
        warn_of([good, weak, weak, good])
    assert len(issued) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of([good, good])


def test_key_warnings__key_of_a_ceremony_or_none__says_nothing() -> None:
    assert key_warnings(KEY) == ()
    for content in (None, b"", b"x", b"[]", b"{}", b"[" * 100_000):
        assert key_warnings(content) == ()
