"""What the SDK hands out, and what it refuses to read back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from eth_abi import decode
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from aligned.core.commitment import commit
from aligned.core.errors import ProofError, ProtocolError
from aligned.core.merkle import MerkleTree
from aligned.core.types import InclusionProof, ProvingSystem, VerificationData
from aligned.sdk.models import Inclusion, ProofVerificationData, State, check_inclusion
from aligned.sdk.posting import MAX_POST_PROOFS, prepare_batch

SENDER = bytes(range(20))


def proof(number: int) -> VerificationData:
    return VerificationData(ProvingSystem.SP1, b"proof %d" % number, b"", b"key", None, SENDER)


def inclusion_of(number: int, count: int = 5) -> Inclusion:
    parts = [commit(proof(index)) for index in range(count)]
    tree = MerkleTree([part.leaf for part in parts])
    place = InclusionProof(tree.root, tree.path(number), number)
    return Inclusion(parts[number].leaf, State.POSTED, place, SENDER, None, parts[number])


def test_json__written_and_read__is_the_same() -> None:
    data = inclusion_of(3).verification_data()
    assert ProofVerificationData.from_json(data.to_json()) == data


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json__any_other_value__refused(value: object) -> None:
    with pytest.raises(ProtocolError):
        ProofVerificationData.from_json(json.dumps(value))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch_root", "0x11"),
        ("merkle_path", "0x" + "11" * 33),
        ("generator", "0x" + "11" * 21),
        ("index", -1),
        ("index", True),
        ("index", "1"),
        ("proof_commitment", "11" * 32),
        ("proof_commitment", None),
    ],
)
def test_json__one_wrong_field__refused(field: str, value: object) -> None:
    fields = json.loads(inclusion_of(0).verification_data().to_json()) | {field: value}
    with pytest.raises(ProtocolError):
        ProofVerificationData.from_json(json.dumps(fields))


def test_calldata__decoded_as_solidity_would__gives_the_fields() -> None:
    data = inclusion_of(2).verification_data()
    signature = "verifyBatchInclusion(bytes32,bytes32,bytes32,bytes20,bytes32,bytes,uint256,address)"
    calldata = data.calldata()
    assert calldata[:4] == keccak(text=signature)[:4]
    types = signature[signature.index("(") + 1 : -1].split(",")
    root, path, index, sender = decode(types, calldata[4:])[4:]
    assert (root, path, index, bytes.fromhex(sender[2:])) == (data.batch_root, data.merkle_path, 2, SENDER)


def test_leaf__from_the_parts__is_that_of_the_proof() -> None:
    assert inclusion_of(1).verification_data().leaf == commit(proof(1)).leaf


def test_verification_data__only_the_leaf_known__asks_for_the_proof() -> None:
    with pytest.raises(ProtocolError, match="only the leaf hash"):
        replace(inclusion_of(0), commitments=None).verification_data()


def test_check_inclusion__path_of_another_leaf__refused() -> None:
    own, other = inclusion_of(0), inclusion_of(1)
    check_inclusion(own.leaf, own.proof)
    for wrong in (
        other.proof,
        replace(own.proof, index=8),
        replace(own.proof, path=own.proof.path[:-1]),
        replace(own.proof, batch_root=bytes(32)),
    ):
        with pytest.raises(ProofError):
            check_inclusion(own.leaf, wrong)


def test_prepare_batch__verification_data__lead_to_its_root() -> None:
    prepared = prepare_batch([proof(index) for index in range(3)])
    for data in prepared.verification_data(SENDER):
        check_inclusion(data.leaf, InclusionProof(prepared.root, data.merkle_path, data.index))


@pytest.mark.parametrize("count", [0, MAX_POST_PROOFS + 1])
def test_prepare_batch__none_or_too_many__refused(count: int) -> None:
    with pytest.raises(ProtocolError):
        prepare_batch([proof(0)] * count)
