"""What the aggregating programs must refuse: their own logic (zkvm/core), run over inputs with one thing wrong."""

from __future__ import annotations

from collections.abc import Iterator

from aligned_native import keccak256, native_chunk

from aligned.chain.kzg import commitment_of
from aligned.core.aggregation import AggregationSystem, tree_of, user_proofs_output
from aligned.core.blob import encode_blobs, versioned_hash
from aligned.devnet.forgeries import ACCEPTED

GUEST_REFUSED = "guest_refused"
_SYSTEM = AggregationSystem.SP1
Inputs = tuple[AggregationSystem, list[bytes], list[bytes], list[bytes]]


def try_guests() -> Iterator[tuple[str, str, str]]:
    """Name of the case, outcome, expected outcome; the first is right."""
    commitments = [keccak256(b"invented %d" % number) for number in range(4)]
    parts = [commitments[:2], commitments[2:]]
    outputs = [user_proofs_output(tree_of(_SYSTEM, part).root, len(part)) for part in parts]
    lists, hashes = [b"".join(part) for part in parts], [_hash(commitments)]
    wrong_count = user_proofs_output(outputs[0][:32], 3)
    right: Inputs = (_SYSTEM, outputs, lists, hashes)
    yield "two chunks with their commitments", _outcome(right), ACCEPTED
    cases: dict[str, Inputs] = {
        "chunk root that is not of its commitments": (_SYSTEM, outputs, [lists[1], lists[1]], hashes),
        "chunk with a commitment less": (_SYSTEM, outputs, [lists[0][:32], lists[1]], hashes),
        "chunk with a wrong count": (_SYSTEM, [wrong_count, outputs[1]], lists, hashes),
        "chunk of the other system": (AggregationSystem.RISC0, outputs, lists, hashes),
        "no blob": (_SYSTEM, outputs, lists, []),
        "one blob too many": (_SYSTEM, outputs, lists, hashes * 2),
    }
    for name, inputs in cases.items():
        yield f"chunk program: {name}", _outcome(inputs), GUEST_REFUSED


def _hash(commitments: list[bytes]) -> bytes:
    return versioned_hash(commitment_of(encode_blobs(commitments)[0]))


def _outcome(inputs: Inputs) -> str:
    system, outputs, commitments, hashes = inputs
    try:
        native_chunk(int(system), outputs, commitments, hashes)
    except ValueError:
        return GUEST_REFUSED
    return ACCEPTED
