"""Messages of the batcher's protocol: what clients send, and what each kind of client is answered."""

from __future__ import annotations

import contextlib
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.core.eip712 import submission_digest
from aligned.core.errors import (
    AlignedError,
    ConflictError,
    DependencyError,
    PaymentError,
    ProofError,
    ProtocolError,
)
from aligned.core.signing import recover_address, sign_digest
from aligned.core.types import InclusionProof, ProvingSystem, VerificationData
from aligned.wire.batcher import (
    Hello,
    Question,
    Signature,
    Submission,
    SubmitProof,
    Topic,
    decode_client_message,
    encode_hello,
    encode_submission,
    max_message_bytes,
)
from aligned.wire.batcher_replies import (
    HelloDialect,
    Inclusion,
    MessageRef,
    Receipt,
    ServerLimits,
    encode_hello_ack,
)
from aligned.wire.reference_replies import ReferenceDialect

u256s = st.integers(0, 2**256 - 1)
addresses = st.binary(min_size=20, max_size=20)
blobs = st.none() | st.binary(max_size=50)
submissions = st.builds(
    Submission,
    st.builds(VerificationData, st.sampled_from(ProvingSystem), st.binary(), blobs, blobs, blobs, addresses),
    u256s,
    u256s,
    u256s,
    addresses,
    st.builds(Signature, u256s, u256s, st.integers(0, 255)),
    st.none() | addresses,
)
ABOUT = MessageRef(b"\x11" * 20, 5, b"\x22" * 32, "Risc0", b"\x33" * 20)
MAX_BYTES = 100_000


@given(submissions)
def test_submission__encoded__decodes_to_itself(submission: Submission) -> None:
    assert decode_client_message(encode_submission(submission), MAX_BYTES) == submission


@given(st.binary(max_size=300))
def test_client_message__any_bytes__protocol_error_or_message(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_client_message(data, MAX_BYTES)


@given(submissions, st.integers(0, 10_000), st.integers(0, 255))
def test_client_message__one_byte_changed__protocol_error_or_message(
    submission: Submission, position: int, byte: int
) -> None:
    frame = bytearray(encode_submission(submission))
    frame[position % len(frame)] = byte
    with contextlib.suppress(ProtocolError):
        assert isinstance(decode_client_message(bytes(frame), MAX_BYTES), Submission)


def v010_frame() -> dict[str, Any]:
    """The published vector, in the frame of the v0.10 client."""
    address = "0xa0ee7a142d267c1f36714e4a8f75612f20a79720"
    return {
        "verification_data": {
            "verification_data": {
                "proving_system": "Groth16Bn254",
                "proof": [0x2A] * 4,
                "pub_input": [0x20] * 4,
                "verification_key": [8] * 4,
                "vm_program_code": None,
                "proof_generator_addr": address,
            },
            "nonce": "0x1",
            "max_fee": "0x2",
            "chain_id": "0x3",
            "payment_service_addr": address,
        },
        "signature": {
            "r": "0x67590868f22f5943ca4eed7d91f5a97064c6fcd67b5cacba39a6c240bfca54fb",
            "s": "0xce61d5f460c6332406ffbe090ae9e1c65fce43c6268213ab10b1b08aeb38482",
            "v": 28,
        },
    }


def test_submission__published_vector__recovers_the_published_signer() -> None:
    from aligned.core.commitment import commit

    message = decode_client_message(cbor2.dumps(v010_frame()), MAX_BYTES)
    assert isinstance(message, Submission)
    digest = submission_digest(commit(message.data).leaf, 1, 2, 3, message.payment_service)
    assert digest.hex() == "a7bdfa2e4b9695f9c6cd6ccd3b036660afafb3588f61f27616acfabbf28a15ee"
    signer = recover_address(digest, message.signature.r, message.signature.s, message.signature.v)
    assert signer.hex() == "a0ee7a142d267c1f36714e4a8f75612f20a79720"
    key = bytes.fromhex("2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6")
    signed = sign_digest(key, digest)
    assert (int.from_bytes(signed[:32], "big"), signed[64]) == (message.signature.r, 28)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("signature",), None),
        (("signature", "v"), "0x1c"),
        (("signature", "r"), 5),
        (("signature", "extra"), 5),
        (("verification_data", "nonce"), 1),
        (("verification_data", "nonce"), "-0x1"),
        (("verification_data", "max_fee"), "0x" + "f" * 65),
        (("verification_data", "payment_service_addr"), "0x00"),
        (("verification_data", "verification_data"), []),
        (("verification_data", "verification_data", "proof"), "0x2a"),
        (("sender",), "0x12"),
        (("more",), 1),
    ],
    ids=str,
)
def test_submission__wrong_field__malformed(path: tuple[str, ...], value: object) -> None:
    frame = v010_frame()
    place = frame
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(ProtocolError) as caught:
        decode_client_message(cbor2.dumps(frame), MAX_BYTES)
    assert caught.value.code == "malformed_message"


def test_later_client__its_three_messages__decoded() -> None:
    submission = decode_client_message(cbor2.dumps(v010_frame()), MAX_BYTES)
    assert isinstance(submission, Submission)
    frame = cbor2.dumps({"SubmitProof": v010_frame()})
    assert decode_client_message(frame, MAX_BYTES) == SubmitProof(submission)
    for topic in Topic:
        question = cbor2.dumps({topic.value: "0x" + "AB" * 20})
        assert decode_client_message(question, MAX_BYTES) == Question(topic, b"\xab" * 20)


@pytest.mark.parametrize(
    "message",
    [
        {"GetNonceForAddress": "0x00"},
        {"GetNonceForAddress": "0x" + "ab" * 20, "GetLastMaxFee": "0x" + "ab" * 20},
        {"GetNonceForAddress": ["0x" + "ab" * 20]},
        {"SubmitProof": "0x"},
        {"SubmitProof": v010_frame(), "more": 1},
        "GetNonceForAddress",
    ],
    ids=str,
)
def test_later_client__wrong_message__malformed(message: object) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_client_message(cbor2.dumps(message), MAX_BYTES)
    assert caught.value.code == "malformed_message"


def test_max_message__largest_proof_as_array__fits() -> None:
    frame = v010_frame()
    frame["verification_data"]["verification_data"]["proof"] = [255] * 50_000
    data = cbor2.dumps(frame)
    assert len(data) <= max_message_bytes(50_000)
    assert isinstance(decode_client_message(data, max_message_bytes(50_000)), Submission)


def test_hello__encoded__decodes_to_itself() -> None:
    assert decode_client_message(encode_hello(Hello(1, "sdk")), 100) == Hello(1, "sdk")


@pytest.mark.parametrize("hello", [{}, {"version": 1, "client": "x" * 65}, {"version": 1}, 5])
def test_hello__wrong__malformed(hello: object) -> None:
    with pytest.raises(ProtocolError):
        decode_client_message(cbor2.dumps({"Hello": hello}), 1_000)


@pytest.mark.parametrize(
    ("error", "frame"),
    [
        (ProtocolError("invalid_signature", "x"), "InvalidSignature"),
        (ProtocolError("invalid_chain_id", "x"), "InvalidChainId"),
        (ProtocolError("proof_too_large", "x"), "ProofTooLarge"),
        (ProtocolError("nonce_too_high", "x"), "InvalidNonce"),
        (ConflictError("nonce_used", "x"), "InvalidNonce"),
        (PaymentError("fee_too_low", "x"), "InvalidMaxFee"),
        (ConflictError("underpriced_replacement", "x"), "InvalidReplacementMessage"),
        (DependencyError("queue_full", "x"), "AddToBatchError"),
        (DependencyError("chain_unavailable", "x"), "EthRpcError"),
        (PaymentError("insufficient_balance", "x"), {"InsufficientBalance": "0x" + "11" * 20}),
        (PaymentError("funds_unlocked", "x"), {"InsufficientBalance": "0x" + "11" * 20}),
        (ProofError("invalid_proof", "x"), {"InvalidProof": "RejectedProof"}),
        (ProofError("empty_proof", "x"), {"InvalidProof": "RejectedProof"}),
        (ProofError("unsupported_version", "x"), {"InvalidProof": "VerifierNotSupported"}),
        (ProofError("key_is_elf", "x"), {"InvalidProof": "VerifierNotSupported"}),
        (ProofError("verifier_timeout", "x"), "AddToBatchError"),
        (ProofError("verifier_crashed", "x"), "AddToBatchError"),
        (DependencyError("server_busy", "x"), "AddToBatchError"),
        (ProofError("unsupported_system", "x"), {"InvalidProof": "VerifierNotSupported"}),
        (ProtocolError("unknown_proving_system", "x"), {"InvalidProof": "VerifierNotSupported"}),
        (ProofError("verifier_disabled", "x"), {"InvalidProof": {"DisabledVerifier": "Risc0"}}),
        (
            ProtocolError("invalid_payment_service", "x", expected="0xab"),
            {"InvalidPaymentServiceAddress": ["0x" + "33" * 20, "0xab"]},
        ),
        (ProtocolError("malformed_message", "x"), "AddToBatchError"),
        (DependencyError("database_unavailable", "x"), "AddToBatchError"),
    ],
    ids=lambda value: value.code if isinstance(value, AlignedError) else "",
)
def test_reference_dialect__error__frame_of_the_release(error: AlignedError, frame: object) -> None:
    assert cbor2.loads(ReferenceDialect().rejected(error, ABOUT)) == frame


def test_dialects__inclusion__arrays_for_one_byte_strings_for_the_other() -> None:
    proof = InclusionProof(b"\x01" * 32, b"\x02" * 32 + b"\x03" * 32, 2)
    inclusion = Inclusion(b"\x22" * 32, b"\x11" * 20, 5, proof, b"\x33" * 20, 9, b"\x44" * 32)
    assert cbor2.loads(ReferenceDialect().included(inclusion)) == {
        "BatchInclusionData": {
            "batch_merkle_root": [1] * 32,
            "batch_inclusion_proof": {"merkle_path": [[2] * 32, [3] * 32]},
            "index_in_batch": 2,
        }
    }
    extended = cbor2.loads(HelloDialect().included(inclusion))["BatchInclusionData"]
    assert extended["batch_inclusion_proof"] == {"merkle_path": [b"\x02" * 32, b"\x03" * 32]}
    assert (extended["nonce"], extended["leaf"], extended["task_block"]) == (5, b"\x22" * 32, 9)


def test_dialects__accepted__valid_or_receipt() -> None:
    receipt = Receipt(b"\x22" * 32, b"\x11" * 20, 5, 3, 1_000, b"\x55" * 65)
    assert cbor2.loads(ReferenceDialect().accepted(receipt)) == "Valid"
    body = cbor2.loads(HelloDialect().accepted(receipt))["Receipt"]
    assert body == {
        "sender": "0x" + "11" * 20,
        "nonce": 5,
        "leaf": b"\x22" * 32,
        "position": 3,
        "deadline": 1_000,
        "signature": b"\x55" * 65,
    }


def test_hello_ack__limits__are_named_for_each_system() -> None:
    limits = ServerLimits(31337, bytes(20), bytes(20), 4 << 20, 9 << 20, 10, 1)
    body = cbor2.loads(encode_hello_ack(limits))["HelloAck"]
    assert body["max_proof_bytes"] == 4 << 20
    assert body["max_bytes_of"] == {"SP1": 4 << 20, "Risc0": 4 << 20, "CircomGroth16Bn256": 1 << 20}


def test_hello_dialect__rejected__code_message_and_context() -> None:
    error = PaymentError("insufficient_balance", "too little", balance_wei=2**70, required_wei=5)
    body = cbor2.loads(HelloDialect().rejected(error, ABOUT))["Rejected"]
    assert (body["code"], body["message"], body["retryable"]) == ("insufficient_balance", "too little", False)
    assert (body["balance_wei"], body["required_wei"], body["nonce"]) == (hex(2**70), 5, 5)
    assert (
        cbor2.loads(HelloDialect().rejected(error, MessageRef()))["Rejected"]["code"]
        == "insufficient_balance"
    )
