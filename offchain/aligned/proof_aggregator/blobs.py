"""What follows from the commitments alone: blobs, tree, and the public values that a proof must have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aligned.chain.kzg import commitment_of, open_blob
from aligned.core.aggregation import AggregationSystem, AggregationTree, BlobPoint, ChunkOutput, tree_of
from aligned.core.blob import challenge, encode_blobs, versioned_hash
from aligned.storage.aggregation.aggregations import BlobRow


@dataclass(frozen=True, slots=True)
class Expected:
    """All that an aggregation of these commitments must show.

    Attributes:
        blobs: as the transaction carries them.
        rows: their names and openings.
        public_values: of the final proof; the openings' values are ours, not the prover's.
    """

    tree: AggregationTree
    blobs: tuple[bytes, ...]
    rows: tuple[BlobRow, ...]
    public_values: bytes

    @property
    def versioned_hashes(self) -> list[bytes]:
        """Of the blobs."""
        return [row.versioned_hash for row in self.rows]

    @property
    def openings(self) -> bytes:
        """KZG commitment ‖ KZG proof of each blob, as the contract takes them."""
        return b"".join(row.kzg_commitment + row.opening_proof for row in self.rows)


def expect(system: AggregationSystem, commitments: Sequence[bytes]) -> Expected:
    """Computes it; some tenths of a second a blob."""
    tree, count = tree_of(system, commitments), len(commitments)
    blobs = tuple(encode_blobs(commitments))
    rows, points = [], []
    for blob in blobs:
        kzg_commitment = commitment_of(blob)
        blob_hash = versioned_hash(kzg_commitment)
        opening = open_blob(blob, challenge(tree.root, count, blob_hash))
        rows.append(BlobRow(blob_hash, kzg_commitment, opening.proof))
        points.append(BlobPoint(blob_hash, opening.y))
    output = ChunkOutput(tree.root, count, tuple(points))
    return Expected(tree, blobs, tuple(rows), output.encode())
