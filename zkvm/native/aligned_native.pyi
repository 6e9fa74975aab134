"""Native part of Aligned. All functions release the GIL, take and give `bytes`, integers are big-endian.

Wrong arguments raise ValueError (TypeError for a wrong type). A bad proof, key or point is an answer, not an exception;
only where a result would rest on bad proofs do they raise ValueError too.
"""

from collections.abc import Sequence
from typing import final

def keccak256(data: bytes) -> bytes:
    """keccak-256 as Ethereum uses it, 32 bytes."""

@final
class Keccak256:
    """keccak-256 of data that comes in pieces."""

    def __init__(self) -> None: ...
    def update(self, data: bytes) -> None:
        """Takes the next piece."""

    def digest(self) -> bytes:
        """Of all pieces so far, 32 bytes."""

def leaf_commitment(
    system_id: int,
    proof: bytes,
    pub_input: bytes | None,
    verification_key: bytes | None,
    vm_program_code: bytes | None,
    generator: bytes,
) -> tuple[bytes, bytes, bytes, bytes]:
    """Commitments (proof, public input, auxiliary data) and leaf of a submission, 32 bytes each.

    Args:
        system_id: id of the proving system, 0 to 255 (OverflowError otherwise).
        generator: 20 bytes.
    """

def merkle_root(leaves: bytes) -> bytes:
    """Root over n ≥ 1 concatenated 32-byte leaves."""

def merkle_path(leaves: bytes, index: int) -> bytes:
    """Concatenated siblings of leaf `index`, leaf level first."""

def merkle_paths(leaves: bytes) -> list[bytes]:
    """`merkle_path` of every leaf; n · log2(n) · 32 bytes in all."""

def merkle_verify(leaf: bytes, index: int, path: bytes, root: bytes) -> bool:
    """Whether `path` leads from `leaf` at `index` to `root`; false for bad lengths and for index ≥ 2^depth."""

@final
class Verdict:
    """What a verifier says."""

    @property
    def valid(self) -> bool:
        """Whether the proof is valid for exactly this key and public input."""
    @property
    def code(self) -> str:
        """`ok`, or a stable identifier of the reason (docs/spec/proving-systems.md)."""
    @property
    def reason(self) -> str:
        """The reason in words, empty when valid."""

def verify_sp1(
    proof: bytes, public_values: bytes | None, verification_key: bytes | None, vm_program_code: bytes | None
) -> Verdict:
    """SP1 v6.1.0: a saved proof file (Compressed, Groth16, PLONK) or the bytes that the on-chain verifier takes.

    Args:
        public_values: must equal those in the proof; with None those in a saved proof are not compared with anything,
            and bytes for the on-chain verifier, which hold none, are taken for a proof without any.
        verification_key: the saved key (104 bytes) or its hash in bytes32 form.
        vm_program_code: the same; what is given here is what the leaf commits to.
    """

def verify_risc0(receipt: bytes, journal: bytes | None, image_id: bytes) -> Verdict:
    """RISC Zero 3.0: a bincode InnerReceipt or Receipt (Composite, Succinct, Groth16).

    Args:
        journal: must equal that in the proof; None stands for an empty one.
        image_id: 32 bytes.
    """

def verify_aggregatable(system: int, proof: bytes, public_inputs: bytes, key: bytes) -> Verdict:
    """Like `verify_sp1` and `verify_risc0`, but only for proofs that an aggregating program can verify in turn.

    These are Compressed ones with public values committed by SHA-256 (SP1), Composite and Succinct (RISC Zero).

    Args:
        system: its id in the leaves of aggregation mode (ValueError for others).
        key: SP1: the saved key or its hash; RISC Zero: the image id.
    """

def file_kind(content: bytes) -> str | None:
    """What kind of file this is, in words, for the message to somebody who sent it as another one."""

def sp1_public_values(proof: bytes) -> bytes | None:
    """The public values that a saved SP1 proof holds, unverified; None where this is no saved proof of v6.1.0."""

def risc0_journal(receipt: bytes) -> bytes | None:
    """The journal that a RISC Zero `Receipt` holds, unverified; None for an `InnerReceipt` and all else."""

def verify_circom_groth16(proof_json: bytes, public_inputs: bytes, verification_key_json: bytes) -> Verdict:
    """Groth16 on BN254 as snarkjs writes it.

    Args:
        public_inputs: a JSON list of decimal strings, or 32 bytes big-endian for each input.
    """

def sp1_vkey_hash(vk_or_hash: bytes) -> bytes:
    """The bytes32 form of an SP1 key given as saved key (104 bytes) or as that form."""

def aggregation_leaves(system: int, commitments: bytes) -> bytes:
    """Leaves of the aggregation mode for n concatenated 32-byte commitments, concatenated too.

    Args:
        system: id in the leaf, 1 (SP1) or 2 (RISC0). Any other, or more than 23,808 commitments, raises ValueError.
    """

def aggregation_root(system: int, commitments: bytes) -> bytes:
    """Root of the tagged tree over the leaves of n ≥ 1 commitments."""

def aggregation_paths(system: int, commitments: bytes) -> list[bytes]:
    """Of every leaf the concatenated siblings, leaf level first."""

def native_user_proofs(system: int, items: Sequence[tuple[bytes, bytes, bytes]]) -> bytes:
    """Verifies every user proof, then runs the logic of the guest `user_proofs`; its public values, 64 bytes.

    Nothing is proved by this. Taken are proofs that a guest could verify: SP1 Compressed with SHA-256, RISC0 Composite
    and Succinct.

    Args:
        items: (key, public inputs, proof). Key: SP1 saved key or its bytes32 form, RISC0 image id.

    Raises:
        ValueError: "proof i: code: reason" for the first proof that is refused; no proofs or too many.
    """

def native_chunk(
    system: int,
    chunk_outputs: Sequence[bytes],
    chunk_commitments: Sequence[bytes],
    versioned_hashes: Sequence[bytes],
) -> bytes:
    """Runs the logic of the guest `chunk` over chunks with these public values; its public values, 64 + 64 · blobs.

    Args:
        chunk_outputs: public values of each chunk, 64 bytes; who calls answers for their being proved.
        chunk_commitments: concatenated commitments of each chunk.
        versioned_hashes: one for every 3,968 commitments, 32 bytes each.

    Raises:
        ValueError: "proof i: ..." if chunk i's root and count are not those of its commitments; a wrong number of
            outputs, commitments or versioned hashes.
    """

def bls_secret_from_seed(seed: bytes) -> bytes:
    """A secret key in [1, group order), 32 bytes. The seed must have the entropy that the key shall have."""

def bls_public_key(secret: bytes) -> tuple[bytes, bytes]:
    """The public key in G1 (64 bytes) and in G2 (128 bytes, X.im ‖ X.re ‖ Y.im ‖ Y.re)."""

def bls_hash_to_g1(digest: bytes) -> tuple[bytes, bytes, list[bytes]]:
    """The point of a 32-byte digest (64 bytes), the witness of its root and those of the skipped x."""

def bls_sign(secret: bytes, digest: bytes) -> bytes:
    """Signature over a 32-byte digest, 64 bytes."""

def bls_verify(g2_key: bytes, digest: bytes, signature: bytes) -> bool:
    """False also for points that are not canonical, on the curve, in the subgroup and finite."""

def bls_keys_match(g1: bytes, g2: bytes) -> bool:
    """Whether both are the same key; false for points that `bls_verify` would refuse."""

def bls_aggregate_g1(points: Sequence[bytes]) -> bytes:
    """Sum of one or more G1 points, 64 bytes. ValueError for a point that `bls_verify` would refuse."""

def bls_aggregate_g2(points: Sequence[bytes]) -> bytes:
    """Sum of one or more G2 points, 128 bytes. ValueError for a point that `bls_verify` would refuse."""
