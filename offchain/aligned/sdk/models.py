"""What the SDK hands out: receipts, per-proof results, inclusions and the arguments of the Solidity call."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from pydantic_core import from_json

from aligned.chain.abi import contract_abi
from aligned.core.batch import batch_id
from aligned.core.commitment import Commitments, leaf_hash
from aligned.core.errors import INVALID_PROOF, MALFORMED_MESSAGE, AlignedError, ProofError, ProtocolError
from aligned.core.merkle import verify_path
from aligned.core.types import ADDRESS_BYTES, HASH_BYTES, InclusionProof, VerificationData
from aligned.sdk.proof_warnings import ProofWarning, proof_warnings


class State(StrEnum):
    """Life of a submission, in this order; the last three end it without a verified proof.

    A verified batch can leave the chain in a reorganisation (and is posted again); a final one cannot.
    """

    QUEUED = "queued"
    BUILDING = "building"
    INCLUDED = "included"
    POSTED = "included"
    VERIFIED = "verified"
    FINAL = "final"
    FAILED = "failed"
    REPLACED = "replaced"
    REFUSED = "refused"

    @classmethod
    def _missing_(cls, value: object) -> State | None:
        return cls.INCLUDED if value == "posted" else None

    @property
    def is_verified(self) -> bool:
        """Whether a quorum signed it, however deep that is."""
        return self in (State.VERIFIED, State.FINAL)

    @property
    def is_lost(self) -> bool:
        """Whether this submission will never be verified."""
        return self in (State.FAILED, State.REPLACED, State.REFUSED)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The batcher's signed promise for one proof; keep it to ask for the inclusion later.

    Attributes:
        commitments: the proof's commitments and leaf, computed here, not by the batcher.
        sender: 20 bytes, who pays.
        deadline_s: Unix seconds by which the proof must be on chain.
        position: place in the queue when it was accepted.
        signature: the batcher's 65 bytes over `core.eip712.receipt_digest`.
    """

    commitments: Commitments
    sender: bytes
    nonce: int
    max_fee_wei: int
    deadline_s: int
    position: int | None
    signature: bytes

    @property
    def leaf(self) -> bytes:
        """32 bytes."""
        return self.commitments.leaf

    def to_dict(self) -> dict[str, object]:
        """JSON form."""
        return {
            "leaf": _hex(self.leaf),
            "sender": _hex(self.sender),
            "nonce": self.nonce,
            "max_fee_wei": str(self.max_fee_wei),
            "deadline": self.deadline_s,
            "position": self.position,
            "signature": _hex(self.signature),
        }


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """What became of one proof of a `submit` call: either a receipt or an error, never both.

    Attributes:
        index: place in the submitted list.
    """

    index: int
    data: VerificationData
    receipt: Receipt | None = None
    error: AlignedError | None = None

    @property
    def warnings(self) -> tuple[ProofWarning, ...]:
        """What to know of the proof although it is valid: a key that anybody can make proofs under."""
        return proof_warnings(self.data)

    def unwrap(self) -> Receipt:
        """The receipt.

        Raises:
            AlignedError: why the proof was not accepted.
        """
        if self.receipt is None:
            raise self.error or ProtocolError(MALFORMED_MESSAGE, "neither a receipt nor an error")
        return self.receipt


@dataclass(frozen=True, slots=True)
class Submission:
    """One row of the batcher's answer about a leaf; `inclusion` from "included" on.

    Attributes:
        confirmations: blocks that hold its task, by the batcher's count.
        receipt_signature: as in `Receipt`, not checked.
        sender_address: 20 bytes, who created the task (the payment service), part of the batch's identity.
    """

    sender: bytes
    nonce: int
    state: State
    position: int | None
    deadline_s: int
    receipt_signature: bytes
    inclusion: InclusionProof | None
    sender_address: bytes | None
    tx_hash: bytes | None
    task_block: int | None
    reason: str | None
    confirmations: int | None = None


@dataclass(frozen=True, slots=True)
class ProofVerificationData:
    """Exactly the arguments of `verifyBatchInclusion`, in its order.

    Attributes:
        proof_commitment, pub_input_commitment, aux_commitment, batch_root: 32 bytes each.
        generator, sender_address: 20 bytes each.
        merkle_path: concatenated 32-byte siblings, leaf level first.
        index: position of the leaf in the batch.
    """

    proof_commitment: bytes
    pub_input_commitment: bytes
    aux_commitment: bytes
    generator: bytes
    batch_root: bytes
    merkle_path: bytes
    index: int
    sender_address: bytes

    @property
    def leaf(self) -> bytes:
        """32 bytes."""
        return leaf_hash(
            self.proof_commitment, self.pub_input_commitment, self.aux_commitment, self.generator
        )

    @property
    def batch_id(self) -> bytes:
        """Key of the batch on chain."""
        return batch_id(self.batch_root, self.sender_address)

    def calldata(self) -> bytes:
        """Selector and encoded arguments of `verifyBatchInclusion`."""
        arguments = (getattr(self, field.name) for field in fields(self))
        return contract_abi("AlignedLayerServiceManager").functions["verifyBatchInclusion"].encode(*arguments)

    def to_dict(self, warnings: Sequence[ProofWarning] = ()) -> dict[str, object]:
        """JSON form: bytes as 0x text, and `warnings` where there are any."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        texts = {name: _hex(value) if isinstance(value, bytes) else value for name, value in values.items()}
        return texts | ({"warnings": [warning.to_dict() for warning in warnings]} if warnings else {})

    def to_json(self, warnings: Sequence[ProofWarning] = ()) -> str:
        """One JSON object; `from_json` reads it back, without the warnings."""
        return json.dumps(self.to_dict(warnings), indent=2)

    @classmethod
    def from_json(cls, text: str) -> ProofVerificationData:
        """Reads what `to_json` wrote.

        Raises:
            ProtocolError: malformed_message for anything else.
        """
        try:
            raw = from_json(text)  # bounds depth, unlike the standard library
            values: dict[str, Any] = {field.name: _read(field.name, raw[field.name]) for field in fields(cls)}
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError(
                MALFORMED_MESSAGE, f"not the verification data of a proof: {error!r}"
            ) from error
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A leaf in a batch, checked here against the batch root.

    Attributes:
        commitments: known when the caller submitted the proof or gave it again, else None.
        confirmations: blocks that hold its task: the chain's word where it was waited for as verified or final,
            else the batcher's.
    """

    leaf: bytes
    state: State
    proof: InclusionProof
    sender_address: bytes
    tx_hash: bytes | None
    commitments: Commitments | None
    confirmations: int | None = None

    def verification_data(self) -> ProofVerificationData:
        """The arguments of the Solidity call.

        Raises:
            ProtocolError: malformed_message when only the leaf hash is known.
        """
        if self.commitments is None:
            raise ProtocolError(
                MALFORMED_MESSAGE, "only the leaf hash is known; give the proof or its receipt"
            )
        parts = self.commitments
        return ProofVerificationData(
            proof_commitment=parts.proof,
            pub_input_commitment=parts.pub_input,
            aux_commitment=parts.aux,
            generator=parts.generator,
            batch_root=self.proof.batch_root,
            merkle_path=self.proof.path,
            index=self.proof.index,
            sender_address=self.sender_address,
        )


def check_inclusion(leaf: bytes, proof: InclusionProof) -> None:
    """Recomputes the root from the leaf and its path.

    Raises:
        ProofError: invalid_proof when they do not lead to the root that the batcher named.
    """
    if not verify_path(leaf, proof.index, proof.path, proof.batch_root):
        raise ProofError(
            INVALID_PROOF, f"the path of leaf {_hex(leaf)} does not lead to {_hex(proof.batch_root)}"
        )


_SIZES = {"generator": ADDRESS_BYTES, "sender_address": ADDRESS_BYTES}


def _read(name: str, value: object) -> bytes | int:
    if name == "index":
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"index: {value!r}")
        return value
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError(f"{name}: expected 0x text")
    raw = bytes.fromhex(value[2:])
    if len(raw) % HASH_BYTES if name == "merkle_path" else len(raw) != _SIZES.get(name, HASH_BYTES):
        raise ValueError(f"{name}: {len(raw)} bytes")
    return raw


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
