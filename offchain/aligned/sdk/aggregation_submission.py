"""A proof on its way to the gateway: its files, and the signature that ties them to one account, nonce and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aligned_native import keccak256
from eth_account.signers.local import LocalAccount

from aligned.core.aggregation import AggregationSystem, commitment, leaf_of
from aligned.core.eip712 import proof_submission_digest
from aligned.core.signing import sign_digest
from aligned.verifiers.kinds import program_id_of


@dataclass(frozen=True, slots=True)
class ProofFiles:
    """One proof with what it is about.

    Attributes:
        proof: SP1: a Compressed proof as `proof.save()` writes it; RISC0: a bincode InnerReceipt, Composite or
            Succinct.
        key: SP1: the 104-byte verifying key; RISC0: the 32-byte image id.
        public_inputs: SP1: public values; RISC0: journal.
    """

    system: AggregationSystem
    proof: bytes
    key: bytes
    public_inputs: bytes

    @property
    def program_id(self) -> bytes:
        """32 bytes: what the commitment and the contract call the program.

        Raises:
            ProofError: malformed_key, key_is_elf.
        """
        return program_id_of(self.system, self.key)

    @property
    def hashes(self) -> tuple[bytes, bytes, bytes]:
        """keccak-256 of proof, key and public inputs, 32 bytes each: what is signed in their place."""
        return keccak256(self.proof), keccak256(self.key), keccak256(self.public_inputs)

    @property
    def commitment(self) -> bytes:
        """32 bytes: what the blob lists."""
        return commitment(self.public_inputs, self.program_id)

    @property
    def leaf(self) -> bytes:
        """32 bytes."""
        return leaf_of(self.system, self.commitment)

    def digest(self, nonce: int, deadline_s: int, chain_id: int, payment_service: bytes) -> bytes:
        """What the owner of the quota signs (EIP-712)."""
        return proof_submission_digest(
            int(self.system), *self.hashes, nonce, deadline_s, chain_id, payment_service
        )


@dataclass(frozen=True, slots=True)
class SignedSubmission:
    """What the gateway is sent; whoever changes a part of it changes who signed it.

    Attributes:
        deadline_s: Unix seconds after which nobody may hand it in.
        signature: 65 bytes r‖s‖v.
        address: the signer, 20 bytes; the gateway compares.
    """

    files: ProofFiles
    nonce: int
    deadline_s: int
    signature: bytes
    address: bytes

    @classmethod
    def sign(
        cls,
        files: ProofFiles,
        nonce: int,
        deadline_s: int,
        signer: LocalAccount,
        *,
        chain_id: int,
        payment_service: bytes,
    ) -> SignedSubmission:
        """Signs for one chain and one payment service (20 bytes)."""
        digest = files.digest(nonce, deadline_s, chain_id, payment_service)
        signature = sign_digest(bytes(signer.key), digest)
        return cls(files, nonce, deadline_s, signature, bytes.fromhex(signer.address[2:]))

    def form(self) -> dict[str, Any]:
        """The multipart form, as httpx takes it: texts first, as the gateway demands it, then the files."""
        hashes = (f"0x{each.hex()}" for each in self.files.hashes)
        texts = {
            "system": self.files.system.wire_name,
            "nonce": str(self.nonce),
            "deadline": str(self.deadline_s),
            "signature": "0x" + self.signature.hex(),
            **dict(zip(("proof_hash", "key_hash", "public_input_hash"), hashes, strict=True)),
            "address": "0x" + self.address.hex(),
        }
        files = {
            "key": self.files.key,
            "public_inputs": self.files.public_inputs,
            "proof": self.files.proof,
        }
        kind = "application/octet-stream"
        return {"data": texts, "files": {name: (name, body, kind) for name, body in files.items()}}
