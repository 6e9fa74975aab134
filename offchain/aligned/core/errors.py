"""Every error of the system, with a stable code.

AlignedError
├─ ProtocolError     bad bytes, version, size, signature, nonce, chain: the client's fault
├─ PaymentError      balance, lock, fee
├─ ProofError        unsupported system, invalid proof, key mismatch
├─ ConflictError     nonce used, proof replaced, batch exists
├─ DependencyError   chain, store, database, verifier pool: may pass by itself, so retryable
└─ InvariantError    must not happen; never caught inside a loop
"""

from __future__ import annotations

from typing import Final


class AlignedError(Exception):
    """Base of all errors.

    Args:
        code: stable snake_case identifier, safe to match on.
        message: what was expected and what was given.
        context: values that help to act on the error; must not hold secrets.
    """

    retryable: bool = False

    def __init__(self, code: str, message: str, /, **context: object) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.context = context


class ProtocolError(AlignedError):
    """The client sent something it should not have."""


class PaymentError(AlignedError):
    """The payer cannot or may not pay."""


class ProofError(AlignedError):
    """The proof, its key or its public input was refused."""


class ConflictError(AlignedError):
    """The request contradicts something that already happened."""


class DependencyError(AlignedError):
    """Something we depend on did not answer; the same request may succeed later."""

    retryable = True


class InvariantError(AlignedError):
    """A bug: a state that must not exist."""


# Codes that more than one module (or a client) matches on.
OK: Final = "ok"
UNKNOWN_PROVING_SYSTEM: Final = "unknown_proving_system"
UNSUPPORTED_SYSTEM: Final = "unsupported_system"
MALFORMED_MESSAGE: Final = "malformed_message"
NOT_UTF8: Final = "not_utf8"
PROOF_TOO_LARGE: Final = "proof_too_large"
EMPTY_PROOF: Final = "empty_proof"
INVALID_SIGNATURE: Final = "invalid_signature"
INVALID_CHAIN_ID: Final = "invalid_chain_id"
INVALID_PAYMENT_SERVICE: Final = "invalid_payment_service"
NONCE_TOO_HIGH: Final = "nonce_too_high"
NONCE_USED: Final = "nonce_used"
INSUFFICIENT_BALANCE: Final = "insufficient_balance"
FUNDS_UNLOCKED: Final = "funds_unlocked"
FEE_TOO_LOW: Final = "fee_too_low"
UNDERPRICED_REPLACEMENT: Final = "underpriced_replacement"
PROOF_REPLACED: Final = "proof_replaced"
BATCH_EXPIRED: Final = "batch_expired"
BATCH_LOST: Final = "batch_lost"
POSTING_STUCK: Final = "posting_stuck"
VERIFIER_DISABLED: Final = "verifier_disabled"
QUEUE_FULL: Final = "queue_full"
OUTBID: Final = "outbid"
DEADLINE_PASSED: Final = "deadline_passed"
SERVER_BUSY: Final = "server_busy"
RATE_LIMITED: Final = "rate_limited"
PAUSED: Final = "paused_after_invalid_proofs"
CHAIN_UNAVAILABLE: Final = "chain_unavailable"
TIMEOUT: Final = "timeout"

# Verdict codes of the verifiers (the native extension returns the same strings).
MALFORMED_PROOF: Final = "malformed_proof"
MALFORMED_KEY: Final = "malformed_key"
MALFORMED_PUBLIC_INPUT: Final = "malformed_public_input"
MISSING_KEY: Final = "missing_key"
MISSING_PUBLIC_INPUT: Final = "missing_public_input"
KEY_IS_ELF: Final = "key_is_elf"
TOO_MANY_PUBLIC_INPUTS: Final = "too_many_public_inputs"
UNSUPPORTED_VERSION: Final = "unsupported_version"
FAKE_RECEIPT: Final = "fake_receipt"
DEV_MODE_SET: Final = "dev_mode_set"
PUBLIC_INPUT_MISMATCH: Final = "public_input_mismatch"
KEY_MISMATCH: Final = "key_mismatch"
INVALID_PROOF: Final = "invalid_proof"
VERIFIER_TIMEOUT: Final = "verifier_timeout"
VERIFIER_CRASHED: Final = "verifier_crashed"
PROOF_UNREADABLE: Final = "proof_unreadable"
INTERNAL_ERROR: Final = "internal_error"
