"""KZG commitments and proofs of blobs: c-kzg with the trusted setup of Ethereum's ceremony, which eth-account ships."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import ckzg

from aligned.core.blob import BLOB_BYTES, versioned_hash
from aligned.core.errors import InvariantError

CELLS_PER_BLOB = 128
MAX_BLOBS_PER_TX = 6
INVALID_SIDECAR = "invalid_sidecar"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What travels beside a blob transaction since EIP-7594: 128 cell proofs a blob, in the order of the blobs."""

    blobs: tuple[bytes, ...]
    commitments: tuple[bytes, ...]
    cell_proofs: tuple[bytes, ...]

    @property
    def versioned_hashes(self) -> tuple[bytes, ...]:
        """What the transaction itself names, 32 bytes a blob."""
        return tuple(versioned_hash(commitment) for commitment in self.commitments)

    def first(self) -> Sidecar:
        """The same with its first blob only: the least that a blob transaction may carry."""
        return Sidecar(self.blobs[:1], self.commitments[:1], self.cell_proofs[:CELLS_PER_BLOB])


@dataclass(frozen=True, slots=True)
class Opening:
    """The value of a blob's polynomial at a point (32 bytes, big-endian), and the 48-byte proof of it."""

    y: bytes
    proof: bytes


@functools.cache
def trusted_setup() -> Any:
    """The setup; reading it takes some seconds, once in a process."""
    folder = resources.files("eth_account") / "typed_transactions" / "blob_transactions"
    with resources.as_file(folder / "kzg_trusted_setup.txt") as path:
        return ckzg.load_trusted_setup(str(path), 0)


def commitment_of(blob: bytes) -> bytes:
    """KZG commitment, 48 bytes.

    Raises:
        InvariantError: invalid_sidecar, not a blob.
    """
    if len(blob) != BLOB_BYTES:
        raise InvariantError(INVALID_SIDECAR, f"blob of {len(blob)} bytes")
    try:
        return bytes(ckzg.blob_to_kzg_commitment(blob, trusted_setup()))
    except RuntimeError as error:
        raise InvariantError(
            INVALID_SIDECAR, "a field element of the blob is not below the modulus"
        ) from error


def hashes_of(blobs: Sequence[bytes]) -> tuple[bytes, ...]:
    """Versioned hashes."""
    return tuple(versioned_hash(commitment_of(blob)) for blob in blobs)


def open_blob(blob: bytes, point: int) -> Opening:
    """Evaluates a blob's polynomial at `point` (below the modulus) and proves it."""
    proof, y = ckzg.compute_kzg_proof(blob, point.to_bytes(32, "big"), trusted_setup())
    return Opening(bytes(y), bytes(proof))


@functools.lru_cache(maxsize=4)
def sidecar_of(blobs: tuple[bytes, ...]) -> Sidecar:
    """The sidecar over 1 to 6 blobs, about 0.4 s a blob; checked, because not every node does.

    Raises:
        InvariantError: invalid_sidecar.
    """
    if not 0 < len(blobs) <= MAX_BLOBS_PER_TX:
        raise InvariantError(
            INVALID_SIDECAR, f"{len(blobs)} blobs, a transaction takes 1 to {MAX_BLOBS_PER_TX}"
        )
    commitments = tuple(commitment_of(blob) for blob in blobs)
    proofs = [bytes(proof) for blob in blobs for proof in _cell_proofs(blob)]
    sidecar = Sidecar(blobs, commitments, tuple(proofs))
    check_sidecar(sidecar, sidecar.versioned_hashes)
    return sidecar


def check_sidecar(sidecar: Sidecar, versioned_hashes: Sequence[bytes]) -> None:
    """Checks commitments against blobs and hashes, and every cell proof, as a node of the network has to.

    Raises:
        InvariantError: invalid_sidecar.
    """
    if tuple(commitment_of(blob) for blob in sidecar.blobs) != sidecar.commitments:
        raise InvariantError(INVALID_SIDECAR, "a commitment is not of its blob")
    if tuple(versioned_hashes) != sidecar.versioned_hashes:
        raise InvariantError(INVALID_SIDECAR, "a versioned hash is not of its commitment")
    if len(sidecar.cell_proofs) != CELLS_PER_BLOB * len(sidecar.blobs):
        raise InvariantError(INVALID_SIDECAR, f"{len(sidecar.cell_proofs)} cell proofs")
    if not _cell_proofs_hold(sidecar):
        raise InvariantError(INVALID_SIDECAR, "a cell proof does not hold")


def _cell_proofs(blob: bytes) -> list[bytes]:
    _cells, proofs = ckzg.compute_cells_and_kzg_proofs(blob, trusted_setup())
    return list(proofs)


def _cell_proofs_hold(sidecar: Sidecar) -> bool:
    cells = [cell for blob in sidecar.blobs for cell in ckzg.compute_cells(blob, trusted_setup())]
    commitments = [each for each in sidecar.commitments for _ in range(CELLS_PER_BLOB)]
    indices = list(range(CELLS_PER_BLOB)) * len(sidecar.blobs)
    try:
        return bool(
            ckzg.verify_cell_kzg_proof_batch(
                commitments, indices, cells, list(sidecar.cell_proofs), trusted_setup()
            )
        )
    except RuntimeError:  # a proof that is no point of the curve
        return False
