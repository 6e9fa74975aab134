"""The batcher's answers to the reference's own clients: the v0.10 release, and the later ones.

Neither knows our codes, so each refusal becomes the nearest of the variants that its client can decode.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aligned.core import errors
from aligned.core.errors import AlignedError
from aligned.wire.batcher import Topic
from aligned.wire.batcher_replies import Inclusion, MessageRef, Receipt, path_nodes
from aligned.wire.cbor import encode
from aligned.wire.fields import to_hex

# A v0.10 client takes whatever comes after its message for the reply to it. It sends the next message as soon as it has
# a reply, so news are kept back until it has been silent for so long.
_SILENCE_S = 2.0
_NO_LIMIT = 2**256 - 1

_SHARED_TEXTS: Final = {
    errors.INVALID_SIGNATURE: "InvalidSignature",
    errors.INVALID_CHAIN_ID: "InvalidChainId",
    errors.PROOF_TOO_LARGE: "ProofTooLarge",
    errors.NONCE_TOO_HIGH: "InvalidNonce",
    errors.NONCE_USED: "InvalidNonce",
    errors.CHAIN_UNAVAILABLE: "EthRpcError",
}
_REFERENCE_TEXTS: Final = _SHARED_TEXTS | {
    errors.FEE_TOO_LOW: "InvalidMaxFee",
    errors.UNDERPRICED_REPLACEMENT: "InvalidReplacementMessage",
}
# For everything without a variant of its own: the proof is not in the queue, and nothing is said about its validity.
_NOT_ADDED: Final = "AddToBatchError"
_LATER_TEXTS: Final = _SHARED_TEXTS | {
    errors.FEE_TOO_LOW: "UnderpricedProof",
    errors.UNDERPRICED_REPLACEMENT: "UnderpricedProof",
    errors.QUEUE_FULL: "UnderpricedProof",
    errors.OUTBID: "UnderpricedProof",
    errors.SERVER_BUSY: "ServerBusy",
    errors.RATE_LIMITED: "ServerBusy",
    errors.FUNDS_UNLOCKED: "UserFundsUnlocked",
    errors.PROOF_REPLACED: "ProofReplaced",
    errors.BATCH_EXPIRED: "BatchReset",
    errors.DEADLINE_PASSED: "BatchReset",
}
_UNSUPPORTED: Final = frozenset(
    (
        errors.UNKNOWN_PROVING_SYSTEM,
        errors.UNSUPPORTED_SYSTEM,
        errors.UNSUPPORTED_VERSION,
        errors.KEY_IS_ELF,
    )
)
# Raised as ProofErrors, but they say that the proof was not judged.
_NOT_JUDGED: Final = frozenset(
    (
        errors.VERIFIER_TIMEOUT,
        errors.VERIFIER_CRASHED,
        errors.PROOF_UNREADABLE,
        errors.DEV_MODE_SET,
        errors.INTERNAL_ERROR,
        errors.PAUSED,
    )
)


class ReferenceDialect:
    """The frames of the v0.10 release. Its client knows no other texts in these places.

    It counts answers, matches inclusion data to its proofs by their order, keeps nothing of what it has when it is told
    of a reset, and goes on after an `Error`, which it prints.
    """

    is_pipelined = False
    matches_by_order = True
    silence_s = _SILENCE_S
    wants_outcome = False

    def __init__(self) -> None:
        self.is_over = False
        self._has_included = False
        self._has_dropped = False

    def accepted(self, receipt: Receipt) -> bytes | None:  # noqa: ARG002 - its client knows no receipts
        """`"Valid"`."""
        return encode("Valid")

    def rejected(self, error: AlignedError, about: MessageRef) -> bytes:
        """The validity reply closest to the error."""
        return encode(_refusal(error, about, _REFERENCE_TEXTS) or _NOT_ADDED)

    def included(self, inclusion: Inclusion) -> bytes:
        """`BatchInclusionData` with arrays of integers; after a dropped proof `Error`, as its count is off by one."""
        if self._has_dropped:
            where = f"it is in batch {to_hex(inclusion.proof.batch_root)}: GET /v1/proofs/{to_hex(inclusion.leaf)}"
            return encode({"Error": f"nonce {inclusion.nonce}: {where}"})
        self._has_included = True
        return encode({"BatchInclusionData": _inclusion(inclusion)})

    def dropped(self, error: AlignedError, about: MessageRef) -> bytes:
        """`BatchReset`, unless that would lose the inclusion data that the client has already; `Error` then."""
        if self._has_included:
            self._has_dropped = True
            return encode({"Error": f"nonce {about.nonce} will be in no batch: {error}"})
        self.is_over = True
        return encode("BatchReset")

    def status(self, about: MessageRef, state: str) -> bytes | None:  # noqa: ARG002 - its client takes no status
        """Nothing."""
        return None

    def too_many(self, limit: int) -> bytes | None:  # noqa: ARG002 - as above
        """Nothing."""
        return None


class LaterDialect:
    """The frames of the releases after v0.10 (enum `ClientMessage`). Nothing is said when a proof is accepted.

    Their client sends all of its proofs, then reads until the highest nonce is answered; the first refusal ends that.
    """

    is_pipelined = True
    matches_by_order = True
    silence_s = 0.0
    wants_outcome = False
    is_over = False

    def accepted(self, receipt: Receipt) -> bytes | None:  # noqa: ARG002 - its client knows no receipts
        """Nothing."""
        return None

    def rejected(self, error: AlignedError, about: MessageRef) -> bytes:
        """The variant closest to the error, or `Error` with its text."""
        return encode(_refusal(error, about, _LATER_TEXTS) or {"Error": str(error)})

    def included(self, inclusion: Inclusion) -> bytes:
        """`BatchInclusionData` with arrays of integers and the nonce."""
        return encode({"BatchInclusionData": _inclusion(inclusion) | {"user_nonce": to_hex(inclusion.nonce)}})

    def dropped(self, error: AlignedError, about: MessageRef) -> bytes:
        """As a refusal; `BatchReset` where there is no variant."""
        return encode(_refusal(error, about, _LATER_TEXTS) or "BatchReset")

    def status(self, about: MessageRef, state: str) -> bytes | None:  # noqa: ARG002 - its client takes no status
        """Nothing."""
        return None

    def too_many(self, limit: int) -> bytes | None:  # noqa: ARG002 - as above
        """Nothing."""
        return None


def encode_answer(topic: Topic, value: int | None) -> bytes:
    """Answer to a question of a later client; None where nothing limits a fee."""
    name = "Nonce" if topic is Topic.NONCE else "LastMaxFee"
    return encode({name: to_hex(_NO_LIMIT if value is None else value)})


def encode_no_answer(topic: Topic, error: AlignedError) -> bytes:
    """Why a question has no answer."""
    if error.code == errors.CHAIN_UNAVAILABLE and topic is Topic.NONCE:
        return encode({"EthRpcError": error.message})
    return encode("ServerBusy" if error.retryable else {"InvalidRequest": str(error)})


def _refusal(error: AlignedError, about: MessageRef, texts: Mapping[str, str]) -> Any:
    """The variant that says the same, None where there is none."""
    if text := texts.get(error.code):
        return text
    if error.code in (errors.INSUFFICIENT_BALANCE, errors.FUNDS_UNLOCKED) and about.sender is not None:
        return {"InsufficientBalance": to_hex(about.sender)}
    if error.code == errors.INVALID_PAYMENT_SERVICE and about.payment_service is not None:
        return {"InvalidPaymentServiceAddress": [to_hex(about.payment_service), error.context["expected"]]}
    if error.code == errors.VERIFIER_DISABLED and about.system_name is not None:
        return {"InvalidProof": {"DisabledVerifier": about.system_name}}
    if error.code in _UNSUPPORTED:
        return {"InvalidProof": "VerifierNotSupported"}
    if isinstance(error, errors.ProofError) and error.code not in _NOT_JUDGED:
        return {"InvalidProof": "RejectedProof"}
    return None


def _inclusion(inclusion: Inclusion) -> dict[str, Any]:
    proof = inclusion.proof
    return {
        "batch_merkle_root": list(proof.batch_root),
        "batch_inclusion_proof": {"merkle_path": [list(node) for node in path_nodes(proof.path)]},
        "index_in_batch": proof.index,
    }
