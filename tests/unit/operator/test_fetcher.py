"""Opening a batch file: decoded once, its root rebuilt from the very same objects."""

from __future__ import annotations

from aligned_native import merkle_root

from aligned.core.commitment import commit
from aligned.core.types import ProvingSystem, VerificationData
from aligned.storage.batch_files import Batch, Refusal, leaf_of, open_batch
from aligned.wire.aggregator import ROOT_MISMATCH, UNDECODABLE_BATCH, WHOLE_BATCH, ZERO_LEAF
from aligned.wire.batch_file import encode_batch

PROOFS = [
    VerificationData(ProvingSystem.SP1, bytes([number]) * 9, b"in", b"key", None, bytes(20))
    for number in range(3)
]
ROOT = merkle_root(b"".join(leaf_of(proof) for proof in PROOFS))


def test_open_batch__own_file__gives_proofs_and_their_leaves() -> None:
    assert open_batch(encode_batch(PROOFS), ROOT, 10) == Batch(
        PROOFS, [commit(proof).leaf for proof in PROOFS]
    )


def test_open_batch__more_proofs_than_allowed__refused() -> None:
    refusal = open_batch(encode_batch(PROOFS), ROOT, 2)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == UNDECODABLE_BATCH


def test_open_batch__one_bit_of_a_proof_flipped__refused_as_a_whole() -> None:
    data = bytearray(encode_batch(PROOFS))
    data[data.index(b"\x01" * 9)] ^= 4
    refusal = open_batch(bytes(data), ROOT, 10)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.leaf_index, refusal.leaf) == (ROOT_MISMATCH, WHOLE_BATCH, ZERO_LEAF)


def test_open_batch__last_proof_repeated__same_root_and_all_are_verified() -> None:
    batch = open_batch(encode_batch([*PROOFS, PROOFS[-1]]), ROOT, 10)
    assert isinstance(batch, Batch)
    assert len(batch.proofs) == 4


def test_leaf_of__without_key_and_input__equals_python() -> None:
    bare = VerificationData(ProvingSystem.RISC0, b"", None, None, b"image", b"\x01" * 20)
    assert leaf_of(bare) == commit(bare).leaf
