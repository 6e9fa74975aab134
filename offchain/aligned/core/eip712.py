"""EIP-712 digests: what users, operators and the batcher sign. Every message is bound to chain id and contract."""

from __future__ import annotations

from aligned_native import keccak256

_DOMAIN_TYPE = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_SUBMISSION_TYPE = keccak256(
    b"NoncedVerificationData(bytes32 verification_data_hash,uint256 nonce,uint256 max_fee)"
)
_TASK_TYPE = keccak256(b"BatchVerification(bytes32 batchIdentifierHash,uint32 taskCreatedBlock)")
_POSSESSION_TYPE = keccak256(b"BN254PubkeyRegistration(address operator)")
_REFUSAL_TYPE = keccak256(
    b"BatchRefusal(bytes32 batchIdentifierHash,uint32 taskCreatedBlock,uint32 leafIndex,bytes32 leaf,bytes32 reason)"
)
_RECEIPT_TYPE = keccak256(b"SubmissionReceipt(bytes32 leaf,address sender,uint256 nonce,uint64 deadline)")
_PROOF_TYPE = keccak256(
    b"ProofSubmission(uint8 system,bytes32 proofHash,bytes32 keyHash,bytes32 publicInputHash,"
    b"uint256 nonce,uint256 deadline)"
)

SUBMISSION_DOMAIN = b"Aligned"
TASK_DOMAIN = b"AlignedLayerServiceManager"
POSSESSION_DOMAIN = b"AlignedOperatorRegistry"
RECEIPT_DOMAIN = b"AlignedBatcherReceipt"
AGGREGATION_DOMAIN = b"AlignedAggregation"


def submission_digest(
    leaf: bytes, nonce: int, max_fee_wei: int, chain_id: int, payment_service: bytes
) -> bytes:
    """What a user signs to submit a proof (the reference's NoncedVerificationData)."""
    domain = _domain_separator(SUBMISSION_DOMAIN, chain_id, payment_service)
    return _digest(domain, _SUBMISSION_TYPE, leaf, _word(nonce), _word(max_fee_wei))


def task_digest(batch_id: bytes, task_block: int, chain_id: int, service_manager: bytes) -> bytes:
    """What an operator signs (BLS) when every proof of a batch is valid: `taskDigest` of the service manager."""
    domain = _domain_separator(TASK_DOMAIN, chain_id, service_manager)
    return _digest(domain, _TASK_TYPE, batch_id, _word(task_block))


def possession_digest(operator: bytes, chain_id: int, registry: bytes) -> bytes:
    """What an operator signs (BLS) to register: `possessionDigest` of the operator registry."""
    domain = _domain_separator(POSSESSION_DOMAIN, chain_id, registry)
    return _digest(domain, _POSSESSION_TYPE, _address(operator))


def refusal_digest(
    batch_id: bytes,
    task_block: int,
    leaf_index: int,
    leaf: bytes,
    reason: str,
    chain_id: int,
    service_manager: bytes,
) -> bytes:
    """What an operator signs (BLS) to say why it does not sign a batch: first failing leaf and reason code."""
    domain = _domain_separator(TASK_DOMAIN, chain_id, service_manager)
    words = (batch_id, _word(task_block), _word(leaf_index), leaf, keccak256(reason.encode()))
    return _digest(domain, _REFUSAL_TYPE, *words)


def receipt_digest(
    leaf: bytes, sender: bytes, nonce: int, deadline_s: int, chain_id: int, payment_service: bytes
) -> bytes:
    """What the batcher signs (ECDSA) when it accepts a proof: it will be on chain by `deadline_s` (Unix seconds)."""
    domain = _domain_separator(RECEIPT_DOMAIN, chain_id, payment_service)
    return _digest(domain, _RECEIPT_TYPE, leaf, _address(sender), _word(nonce), _word(deadline_s))


def proof_submission_digest(
    system: int,
    proof_hash: bytes,
    key_hash: bytes,
    public_input_hash: bytes,
    nonce: int,
    deadline_s: int,
    chain_id: int,
    payment_service: bytes,
) -> bytes:
    """What a user signs to have a proof aggregated. `payment_service` is the AggregationModePaymentService."""
    domain = _domain_separator(AGGREGATION_DOMAIN, chain_id, payment_service)
    hashes = (proof_hash, key_hash, public_input_hash)
    return _digest(domain, _PROOF_TYPE, _word(system), *hashes, _word(nonce), _word(deadline_s))


def _domain_separator(name: bytes, chain_id: int, contract: bytes) -> bytes:
    words = (_DOMAIN_TYPE, keccak256(name), keccak256(b"1"), _word(chain_id), _address(contract))
    return keccak256(b"".join(words))


def _digest(domain_separator: bytes, type_hash: bytes, *words: bytes) -> bytes:
    return keccak256(b"\x19\x01" + domain_separator + keccak256(b"".join((type_hash, *words))))


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _address(address: bytes) -> bytes:
    return address.rjust(32, b"\0")
