"""What a form claims, whose signature it has, and whether its files are the signed ones: checks of the bytes alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from aligned_native import keccak256

from aligned.core.aggregation import AggregationSystem, commitment, leaf_of
from aligned.core.eip712 import proof_submission_digest
from aligned.core.errors import (
    MALFORMED_MESSAGE,
    UNSUPPORTED_SYSTEM,
    ProofError,
    ProtocolError,
)
from aligned.core.signing import recover_address
from aligned.core.types import ADDRESS_BYTES, HASH_BYTES
from aligned.gateway.form import Form
from aligned.gateway.kinds import check_kind
from aligned.gateway.refusals import refusal
from aligned.storage.aggregation.submissions import Submission
from aligned.verifiers import kinds
from aligned.wire.aggregator import hex_of
from aligned.wire.gateway import BAD_SIGNATURE, MAX_NUMBER

_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]*\Z")
_SIGNATURE_BYTES = 65


@dataclass(frozen=True, slots=True)
class Domain:
    """What signatures are bound to."""

    chain_id: int
    payment_service: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """What the texts of a form say, and thereby what is signed; the signature is of the right length, no more.

    Attributes:
        proof_hash, key_hash, public_input_hash: keccak-256 of the files that are to come.
        address: the signer, if named.
    """

    system: AggregationSystem
    nonce: int
    deadline_s: int
    signature: bytes
    proof_hash: bytes
    key_hash: bytes
    public_input_hash: bytes
    address: bytes | None


def parse_claim(texts: Mapping[str, str]) -> Claim:
    """The texts of a form.

    Raises:
        ProtocolError: malformed_message, unsupported_system.
    """
    name = texts["system"]
    known = {system.wire_name: system for system in AggregationSystem}
    if name not in known:
        raise refusal(UNSUPPORTED_SYSTEM, f"system: got {name[:32]!r}, expected {' or '.join(known)}")
    address = texts.get("address")
    return Claim(
        known[name],
        _number("nonce", texts["nonce"]),
        _number("deadline", texts["deadline"]),
        _bytes("signature", texts["signature"], _SIGNATURE_BYTES),
        _bytes("proof_hash", texts["proof_hash"], HASH_BYTES),
        _bytes("key_hash", texts["key_hash"], HASH_BYTES),
        _bytes("public_input_hash", texts["public_input_hash"], HASH_BYTES),
        None if address is None else _bytes("address", address, ADDRESS_BYTES),
    )


def signer_of(claim: Claim, domain: Domain) -> bytes:
    """The address whose signature the claim has.

    Raises:
        ProtocolError: bad_signature.
    """
    digest = proof_submission_digest(
        claim.system, claim.proof_hash, claim.key_hash, claim.public_input_hash, claim.nonce, claim.deadline_s,
        domain.chain_id, domain.payment_service,
    )  # fmt: skip
    raw = claim.signature
    try:
        address = recover_address(
            digest, int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big"), raw[64]
        )
    except ProtocolError as error:
        raise refusal(BAD_SIGNATURE, error.message) from error
    if claim.address not in (None, address):
        # Another chain, contract, proof or nonce gives another signer as well.
        raise refusal(BAD_SIGNATURE, f"over what was sent it is by {hex_of(address)}")
    return address


def check_file(claim: Claim, part: str, data: bytes) -> None:
    """Refuses a file that is not the signed one, or is a key or a proof that cannot be aggregated.

    Args:
        part: `proof` (its first 4 bytes), `proof_hash` (of the whole), `key` or `public_inputs`.

    Raises:
        ProtocolError: bad_signature, malformed_key, key_is_elf, unsupported_proof_kind, empty_proof.
    """
    match part:
        case "key":
            program_id_of(claim.system, data)
            _check_hash(part, keccak256(data), claim.key_hash)
        case "public_inputs":
            _check_hash(part, keccak256(data), claim.public_input_hash)
        case "proof":
            check_kind(claim.system, data)
        case "proof_hash":
            _check_hash("proof", data, claim.proof_hash)


def signed_submission(proof_id: UUID, form: Form, claim: Claim, address: bytes) -> Submission:
    """The submission that `address` signed; its files were checked."""
    program_id = program_id_of(claim.system, form.key)
    proof_commitment = commitment(form.public_inputs, program_id)
    return Submission(
        id=proof_id,
        address=address,
        nonce=claim.nonce,
        deadline_s=claim.deadline_s,
        signature=claim.signature,
        system=claim.system,
        program_id=program_id,
        commitment=proof_commitment,
        leaf=leaf_of(claim.system, proof_commitment),
        proof_hash=claim.proof_hash,
        key_hash=claim.key_hash,
        public_input_hash=claim.public_input_hash,
        proof_object=f"{proof_id.hex}.proof",
        program_key=form.key,
        public_inputs=form.public_inputs,
        size_bytes=form.size_bytes,
    )


def _check_hash(part: str, found: bytes, signed: bytes) -> None:
    if found != signed:
        text = f"{part}: its keccak-256 is {hex_of(found)}, signed was {hex_of(signed)}"
        raise refusal(BAD_SIGNATURE, text)


def _number(name: str, text: str) -> int:
    if _NUMBER.match(text) is None or int(text) > MAX_NUMBER:
        raise refusal(MALFORMED_MESSAGE, f"{name}: expected a decimal number below 2^63")
    return int(text)


def _bytes(name: str, text: str, length: int) -> bytes:
    if len(text) != 2 + 2 * length or _HEX.match(text) is None:
        raise refusal(MALFORMED_MESSAGE, f"{name}: expected 0x and {2 * length} hex digits")
    return bytes.fromhex(text[2:])


def program_id_of(system: AggregationSystem, key: bytes) -> bytes:
    """What a commitment calls the program.

    Raises:
        ProtocolError: malformed_key, key_is_elf.
    """
    try:
        return kinds.program_id_of(system, key)
    except ProofError as error:
        raise refusal(error.code, error.message) from error
