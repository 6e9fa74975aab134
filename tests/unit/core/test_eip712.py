"""Digests against the vector of the reference's own tests and against eth_account's independent encoder."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from aligned.core.eip712 import (
    possession_digest,
    receipt_digest,
    refusal_digest,
    submission_digest,
    task_digest,
)

CHAIN_ID = 31337
CONTRACT = bytes(range(1, 21))
USER = bytes(range(30, 50))
HASH_A, HASH_B = b"\xaa" * 32, b"\xbb" * 32
TASK_DOMAIN = "AlignedLayerServiceManager"


def _expected(domain: str, name: str, fields: list[tuple[str, str, Any]]) -> bytes:
    message = encode_typed_data(
        {"name": domain, "version": "1", "chainId": CHAIN_ID, "verifyingContract": "0x" + CONTRACT.hex()},
        {name: [{"type": kind, "name": field} for kind, field, _ in fields]},
        {field: value for _, field, value in fields},
    )
    return keccak(b"\x19" + message.version + message.header + message.body)


def test_submission_digest__reference_vector__is_reproduced() -> None:
    leaf = bytes.fromhex("ba93ade1e3b17284cfcbf565a7b97358642caf4cc5a5a43d5a76ab94f1397403")
    address = bytes.fromhex("a0Ee7A142d267C1f36714E4a8F75612F20a79720")
    digest = submission_digest(leaf, 1, 2, 3, address)
    assert digest.hex() == "a7bdfa2e4b9695f9c6cd6ccd3b036660afafb3588f61f27616acfabbf28a15ee"


def test_task_digest__any_task__is_eip712() -> None:
    fields = [("bytes32", "batchIdentifierHash", HASH_A), ("uint32", "taskCreatedBlock", 7)]
    assert task_digest(HASH_A, 7, CHAIN_ID, CONTRACT) == _expected(TASK_DOMAIN, "BatchVerification", fields)


def test_possession_digest__any_operator__is_eip712() -> None:
    fields = [("address", "operator", "0x" + USER.hex())]
    expected = _expected("AlignedOperatorRegistry", "BN254PubkeyRegistration", fields)
    assert possession_digest(USER, CHAIN_ID, CONTRACT) == expected


def test_refusal_digest__any_refusal__is_eip712() -> None:
    fields = [
        ("bytes32", "batchIdentifierHash", HASH_A),
        ("uint32", "taskCreatedBlock", 7),
        ("uint32", "leafIndex", 2**32 - 1),
        ("bytes32", "leaf", HASH_B),
        ("bytes32", "reason", keccak(b"root_mismatch")),
    ]
    digest = refusal_digest(HASH_A, 7, 2**32 - 1, HASH_B, "root_mismatch", CHAIN_ID, CONTRACT)
    assert digest == _expected(TASK_DOMAIN, "BatchRefusal", fields)


def test_receipt_digest__any_receipt__is_eip712() -> None:
    fields = [
        ("bytes32", "leaf", HASH_A),
        ("address", "sender", "0x" + USER.hex()),
        ("uint256", "nonce", 5),
        ("uint64", "deadline", 1_700_000_000),
    ]
    digest = receipt_digest(HASH_A, USER, 5, 1_700_000_000, CHAIN_ID, CONTRACT)
    assert digest == _expected("AlignedBatcherReceipt", "SubmissionReceipt", fields)


@pytest.mark.parametrize(
    "other",
    [
        (HASH_B, 7, CHAIN_ID, CONTRACT),
        (HASH_A, 8, CHAIN_ID, CONTRACT),
        (HASH_A, 7, 1, CONTRACT),
        (HASH_A, 7, CHAIN_ID, USER),
    ],
    ids=["batch", "block", "chain", "contract"],
)
def test_task_digest__anything_else__is_another_digest(other: tuple[bytes, int, int, bytes]) -> None:
    assert task_digest(*other) != task_digest(HASH_A, 7, CHAIN_ID, CONTRACT)
