"""The batch file in both of its forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.core.commitment import commit
from aligned.core.errors import ProtocolError
from aligned.core.types import ProvingSystem, VerificationData
from aligned.wire.batch_file import (
    HEAD_BYTES,
    decode_batch,
    decode_item,
    encode_batch,
    encode_item,
    join_items,
)

blobs = st.none() | st.binary(max_size=100)
proofs = st.builds(
    VerificationData,
    st.sampled_from([*ProvingSystem, ProvingSystem(200)]),
    st.binary(max_size=300),
    blobs,
    blobs,
    blobs,
    st.binary(min_size=20, max_size=20),
)
# The facts' test vector: key of the generator, commitments and leaf were computed independently.
VECTOR = VerificationData(
    ProvingSystem.GROTH16_BN254,
    bytes.fromhex("2a2a2a2a"),
    bytes.fromhex("20202020"),
    bytes.fromhex("08080808"),
    None,
    bytes.fromhex("a0ee7a142d267c1f36714e4a8f75612f20a79720"),
)


def early_form(data: VerificationData) -> dict[str, Any]:
    """As v0.10 wrote it: arrays of integers, absent ones null."""

    def blob(value: bytes | None) -> list[int] | None:
        return None if value is None else list(value)

    return {
        "proving_system": data.proving_system.wire_name,
        "proof": blob(data.proof),
        "pub_input": blob(data.pub_input),
        "verification_key": blob(data.verification_key),
        "vm_program_code": blob(data.vm_program_code),
        "proof_generator_addr": "0x" + data.proof_generator_addr.hex(),
    }


@given(st.lists(proofs, min_size=1, max_size=5))
def test_batch_file__both_forms__same_proofs(batch: list[VerificationData]) -> None:
    assert decode_batch(encode_batch(batch), 5) == batch
    assert decode_batch(cbor2.dumps([early_form(data) for data in batch]), 5) == batch


@given(st.lists(proofs, min_size=1, max_size=300))
def test_batch_file__joined_items__is_the_array_that_cbor_writes(batch: list[VerificationData]) -> None:
    items = [encode_item(data) for data in batch]
    whole = join_items(items)
    assert whole == cbor2.dumps([cbor2.loads(item) for item in items])
    assert len(whole) <= HEAD_BYTES + sum(map(len, items))


def test_batch_file__published_vector__has_the_published_leaf() -> None:
    (data,) = decode_batch(cbor2.dumps([early_form(VECTOR)]), 1)
    assert commit(data).leaf.hex() == "ba93ade1e3b17284cfcbf565a7b97358642caf4cc5a5a43d5a76ab94f1397403"


def test_batch_file__later_name_of_the_groth16_system__same_leaf() -> None:
    renamed = early_form(VECTOR) | {"proving_system": "GnarkGroth16Bn254"}
    assert decode_batch(cbor2.dumps([renamed]), 1) == [VECTOR]


def test_batch_file__absent_and_empty_public_input__differ() -> None:
    empty, absent = replace(VECTOR, pub_input=b""), replace(VECTOR, pub_input=None)
    assert decode_batch(encode_batch([empty, absent]), 2) == [empty, absent]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"proving_system": "Halo2"}, "unknown_proving_system"),
        ({"proving_system": "External63"}, "unknown_proving_system"),
        ({"proving_system": "External256"}, "unknown_proving_system"),
        ({"proving_system": 3}, "malformed_message"),
        ({"proof": None}, "malformed_message"),
        ({"proof": "text"}, "malformed_message"),
        ({"proof": [1, 256]}, "malformed_message"),
        ({"pub_input": 7}, "malformed_message"),
        ({"proof_generator_addr": "0x12"}, "malformed_message"),
        ({"proof_generator_addr": b"\0" * 20}, "malformed_message"),
        ({"extra": 1}, "malformed_message"),
    ],
)
def test_batch_file__wrong_field__refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_batch(cbor2.dumps([early_form(VECTOR) | changes]), 1)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "data", [cbor2.dumps([]), cbor2.dumps({}), cbor2.dumps([1, 2]), b"", cbor2.dumps([[]])]
)
def test_batch_file__not_a_list_of_proofs__refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_batch(data, 10)


def test_batch_file__more_proofs_than_allowed__refused() -> None:
    with pytest.raises(ProtocolError):
        decode_batch(encode_batch([VECTOR] * 3), 2)


@given(proofs)
def test_item__any_proof__decodes_to_itself(data: VerificationData) -> None:
    assert decode_item(encode_item(data)) == data
