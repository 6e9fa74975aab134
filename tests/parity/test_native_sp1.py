"""SP1: keys, public values, versions, and the wrapped proofs."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import aligned_native as native
import pytest

from tests.parity.native import Sample, data, on_chain_sp1, raw, sp1, vector
from tests.reference.bls import P

FIB, AGG = sp1("fib_a", "fib"), sp1("agg", "agg")
META = vector("sp1/meta.json")
V6_1_GROTH16, V6_0_GROTH16 = "0x4388a21c", "0x0e78f4db"
KOALA_BEAR = 0x7F000001
VERSION_TAIL = (6).to_bytes(8, "little") + b"v6.1.0" + b"\x00"


def saved_groth16(sample: Sample, **changes: bytes) -> bytes:
    """The file that the SDK would save for a proof that was read from the chain."""
    encoded, values = sample.proof[4:], sample.public_input or b""
    values_hash = bytearray(hashlib.sha256(values).digest())
    values_hash[0] &= 0x1F
    words = [sample.key, bytes(values_hash), encoded[:32], encoded[32:64], encoded[64:96]]
    numbers = [str(int.from_bytes(word, "big")).encode() for word in words]
    parts = {
        "kind": (3).to_bytes(4, "little"),
        "inputs": b"".join(text(number) for number in numbers),
        "encoded": text(encoded.hex().encode()),
        "raw": text(b""),
        "vk_hash": data("4388a21c687fdd5f218d7e3d13190cac4c5355818d3605fd5fb811df468ee696"),
        "values": text(values),
        "tail": VERSION_TAIL,
    }
    return b"".join((parts | changes).values())


def text(content: bytes) -> bytes:
    """A bincode string or byte list."""
    return len(content).to_bytes(8, "little") + content


@pytest.mark.parametrize("program", ["fib", "agg"])
def test_sp1_vkey_hash__saved_key_and_hash__give_the_bytes32_form(program: str) -> None:
    expected = data(META[program]["bytes32"])
    words = META[program]["hash_u32"]
    assert native.sp1_vkey_hash(raw(f"sp1/{program}.vk")) == expected
    assert native.sp1_vkey_hash(expected) == expected
    assert sum(word << 31 * (7 - i) for i, word in enumerate(words)) == int.from_bytes(expected, "big")


@pytest.mark.parametrize(
    "key", [b"", bytes(31), bytes(33), bytes(103), bytes(105), b"\x01" + bytes(31), b"\x00" + b"\xff" * 31]
)
def test_sp1_vkey_hash__no_key__raises(key: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        native.sp1_vkey_hash(key)
    assert FIB.code(key=key) == ("malformed_key" if key else "missing_key")


def test_verify_sp1__key_words_not_canonical__are_refused() -> None:
    """x + p decodes to the same field element: the same program must not have two keys."""
    key = bytearray(raw("sp1/fib.vk"))
    for offset in range(0, 104, 4):
        word = int.from_bytes(key[offset : offset + 4], "little") + KOALA_BEAR
        if word < 1 << 32:
            changed = bytes(key[:offset]) + word.to_bytes(4, "little") + bytes(key[offset + 4 :])
            assert FIB.code(key=changed) == "malformed_key"


def test_verify_sp1__proof_words_not_canonical__are_refused() -> None:
    proof, found = FIB.proof, 0
    for offset in range(12, 4000, 4):
        word = int.from_bytes(proof[offset : offset + 4], "little")
        if 1 << 20 < word < (1 << 32) - KOALA_BEAR:
            changed = proof[:offset] + (word + KOALA_BEAR).to_bytes(4, "little") + proof[offset + 4 :]
            assert FIB.code(proof=changed) == "malformed_proof"
            found += 1
    assert found > 100


@pytest.mark.parametrize("form", ["key", "hash"])
def test_verify_sp1__key_in_either_field_and_form__is_accepted(form: str) -> None:
    key = FIB.key if form == "key" else data(META["fib"]["bytes32"])
    assert native.verify_sp1(FIB.proof, FIB.public_input, key, None).valid
    assert native.verify_sp1(FIB.proof, FIB.public_input, None, key).valid
    assert native.verify_sp1(FIB.proof, FIB.public_input, FIB.key, key).valid


def test_verify_sp1__two_different_keys__are_refused() -> None:
    """The leaf commits to one of them only."""
    for key, program in ((FIB.key, AGG.key), (AGG.key, FIB.key)):
        assert native.verify_sp1(FIB.proof, FIB.public_input, key, program).code == "key_mismatch"


def test_verify_sp1__program_file_beside_the_key__is_refused() -> None:
    """The leaf would commit to the file, which nothing here has looked at."""
    verdict = native.verify_sp1(FIB.proof, FIB.public_input, FIB.key, b"\x7fELF" + bytes(100))
    assert verdict.code == "key_is_elf"


def test_verify_sp1__no_key__is_refused() -> None:
    assert native.verify_sp1(FIB.proof, FIB.public_input, None, None).code == "missing_key"


def test_verify_sp1__key_of_another_program__is_refused() -> None:
    assert FIB.code(key=AGG.key) == "key_mismatch"
    assert FIB.code(key=data(META["agg"]["bytes32"])) == "key_mismatch"


def test_verify_sp1__other_public_values__are_refused() -> None:
    values = FIB.public_input or b""
    for other in (values + b"\x00", values[:-1], b"", values[::-1], sp1("fib_b", "fib").public_input):
        assert FIB.code(public_input=other) == "public_input_mismatch"


def test_verify_sp1__no_public_values_given__saved_proof_is_taken_and_still_bound() -> None:
    """The leaf then commits to none; whatever the file says of its values must be what was proven."""
    assert FIB.code(public_input=None) == "ok"
    values = FIB.public_input or b""
    changed = FIB.proof.replace(text(values), text(bytes([values[0] ^ 1]) + values[1:]))
    assert FIB.code(proof=changed, public_input=None) == "public_input_mismatch"
    assert FIB.code(key=AGG.key, public_input=None) == "key_mismatch"


def test_verify_sp1__public_values_changed_in_file_and_submission__are_refused() -> None:
    """What the file says about its values is not proven: only the commitment inside the proof counts."""
    values = FIB.public_input or b""
    other = bytes([values[0] ^ 1]) + values[1:]
    assert FIB.proof.count(text(values)) == 1
    assert (
        FIB.code(proof=FIB.proof.replace(text(values), text(other)), public_input=other)
        == "public_input_mismatch"
    )


def test_verify_sp1__end_of_the_file_changed__is_refused() -> None:
    """The library ignores what is behind the version: there, bytes could be added and changed at will."""
    assert FIB.proof.endswith(VERSION_TAIL)
    assert FIB.code(proof=FIB.proof[:-1]) == "malformed_proof"
    assert FIB.code(proof=FIB.proof[:-1] + b"\x01") == "malformed_proof"
    assert FIB.code(proof=FIB.proof[:-1] + b"\x01" + text(b"attestation")) == "malformed_proof"


@pytest.mark.parametrize("version", ["v6.0.0", "v6.1.1", "v5.0.0", "v1.0.1", "v10.0.0-rc.1", "v4.0.0-rc.3"])
def test_verify_sp1__file_of_another_version__is_refused(version: str) -> None:
    proof = FIB.proof.removesuffix(VERSION_TAIL) + text(version.encode()) + b"\x00"
    for changed in (replace(FIB, proof=proof), replace(FIB, proof=proof[:-1])):
        assert changed.code() == "unsupported_version"
        assert version in changed.verdict().reason


def test_verify_sp1__core_proof__is_refused() -> None:
    assert FIB.code(proof=bytes(12) + text(b"") + VERSION_TAIL) == "unsupported_version"


def test_verify_sp1__groth16_from_the_chain__is_accepted_and_bound() -> None:
    sample = on_chain_sp1(V6_1_GROTH16)
    assert sample.code() == "ok"
    assert sample.code(public_input=b"other") == "invalid_proof"
    assert sample.code(public_input=None) == "missing_public_input"
    assert sample.code(key=data(META["fib"]["bytes32"])) == "invalid_proof"
    assert sample.code(proof=sample.proof + b"\x00") == "malformed_proof"
    assert sample.code(proof=sample.proof[:-1]) == "malformed_proof"


def test_verify_sp1__groth16_from_the_chain_any_byte_flipped__is_refused() -> None:
    sample = on_chain_sp1(V6_1_GROTH16)
    for position in range(len(sample.proof)):
        assert sample.flipped(position, 1 << position % 8).code() != "ok"


def test_verify_sp1__groth16_point_not_canonical__is_refused() -> None:
    sample = on_chain_sp1(V6_1_GROTH16)
    for offset in range(100, 356, 32):
        coordinate = int.from_bytes(sample.proof[offset : offset + 32], "big") + P
        proof = sample.proof[:offset] + coordinate.to_bytes(32, "big") + sample.proof[offset + 32 :]
        assert sample.code(proof=proof) == "malformed_proof"


def test_verify_sp1__v6_0_0__is_refused_as_unsound() -> None:
    sample = on_chain_sp1(V6_0_GROTH16)
    assert sample.code() == "unsupported_version"
    assert "unsound" in sample.verdict().reason
    relabelled = data(V6_1_GROTH16) + sample.proof[4:]
    assert sample.code(proof=relabelled) == "unsupported_version"


@pytest.mark.parametrize("selector", ["0xa4594c59", "0x11b6a09d", "0x09069090", "0x6a2906ac"])
def test_verify_sp1__older_version_from_the_chain__is_refused(selector: str) -> None:
    assert on_chain_sp1(selector).code() == "unsupported_version"


def test_verify_sp1__saved_groth16__is_accepted_and_each_stated_value_checked() -> None:
    sample = on_chain_sp1(V6_1_GROTH16)
    saved = replace(sample, proof=saved_groth16(sample))
    assert saved.code() == "ok"
    assert saved.code(public_input=None) == "ok"
    assert saved.code(public_input=b"other") == "public_input_mismatch"
    assert saved.code(key=data(META["fib"]["bytes32"])) == "key_mismatch"
    for changes, code in (
        ({"vk_hash": bytes(32)}, "unsupported_version"),
        ({"encoded": text(b"")}, "invalid_proof"),
        ({"encoded": text(b"zz")}, "malformed_proof"),
        ({"encoded": text(sample.proof[4:].hex().upper().encode())}, "malformed_proof"),
        ({"inputs": text(b"1") * 5}, "key_mismatch"),
        ({"values": text(b"other")}, "public_input_mismatch"),
        ({"kind": (2).to_bytes(4, "little")}, "unsupported_version"),
    ):
        assert sample.code(proof=saved_groth16(sample, **changes)) == code


def test_verify_sp1__groth16_of_own_devnet_keys__is_refused() -> None:
    """Keys of a one-party ceremony: valid for its own verifier only."""
    made = vector("sp1/groth16_dev/proof.json")
    selector = hashlib.sha256(raw("sp1/groth16_dev/groth16_vk.bin")).digest()[:4]
    body = b"".join(data(word) for word in made["inputs"][2:]) + data(made["proof_words"])
    key, values = data(made["programVKey"]), data(made["publicValues"])
    assert native.verify_sp1(selector + body, values, key, None).code == "malformed_proof"
    assert native.verify_sp1(data(V6_1_GROTH16) + body, values, key, None).code == "invalid_proof"


def test_verify_sp1__plonk_bytes_that_are_no_proof__are_refused() -> None:
    """There is no v6.1.0 PLONK proof at hand: what is valid stays untested, what is not is refused."""
    root = data("002f850ee998974d6cc00e50cd0814b098c05bfade466d28573240d057f25352")
    header = data("5a093a2f") + bytes(32) + root + bytes(32)
    for body in (b"", bytes(864), b"\x01" * 864, bytes(865)):
        assert (
            native.verify_sp1(header + body, b"", data(META["fib"]["bytes32"]), None).code == "invalid_proof"
        )
    wrong_exit = header[:35] + b"\x01" + header[36:]
    assert (
        native.verify_sp1(wrong_exit + bytes(864), b"", data(META["fib"]["bytes32"]), None).code
        == "invalid_proof"
    )
    other_root = data("5a093a2f") + bytes(96)
    assert (
        native.verify_sp1(other_root, b"", data(META["fib"]["bytes32"]), None).code == "unsupported_version"
    )
