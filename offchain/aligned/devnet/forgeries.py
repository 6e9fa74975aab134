"""Calls of the proof aggregation service that must be refused: one right call, and it again with one thing wrong.

On a devnet anybody can write a dev proof, so the right call would be taken: what refuses the others is the one thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from aligned_native import keccak256

from aligned.chain.client import ChainClient, hex_bytes
from aligned.chain.contracts import AggregationService
from aligned.chain.errors import TxReverted
from aligned.chain.kzg import commitment_of, open_blob
from aligned.core.aggregation import AggregationSystem, BlobPoint, ChunkOutput, dev_proof, tree_of
from aligned.core.blob import challenge, encode_blobs, versioned_hash

ACCEPTED = "accepted"
_NATIVE = 1
_WORD = 32
_BLOB_FEE_WEI = 10**10


@dataclass(frozen=True, slots=True)
class Call:
    """A call of verifySP1 or verifyRisc0 in a transaction with these blobs."""

    system: AggregationSystem
    program: bytes
    public_inputs: bytes
    proof: bytes
    openings: bytes
    blob_hashes: tuple[bytes, ...]

    def with_inputs(self, public_inputs: bytes) -> Call:
        """The same with other public inputs, and a dev proof that fits them."""
        proof = dev_proof(_NATIVE, self.program, public_inputs)
        return replace(self, public_inputs=public_inputs, proof=proof)

    async def outcome(self, chain: ChainClient, service: AggregationService, sender: bytes) -> str:
        """`accepted`, or the name of the contract's error; nothing is sent."""
        data = service.encode_verify(self.system, self.program, self.public_inputs, self.proof, self.openings)
        return await outcome_of(chain, service, data, self.blob_hashes, sender)


async def outcome_of(
    chain: ChainClient, service: AggregationService, data: bytes, blob_hashes: Sequence[bytes], sender: bytes
) -> str:
    """What the service would say to `data` in a transaction with these blobs."""
    more: dict[str, object] = {}
    if blob_hashes:
        more["blobVersionedHashes"] = [hex_bytes(each) for each in blob_hashes]
        more["maxFeePerBlobGas"] = hex(_BLOB_FEE_WEI)
    try:
        await chain.eth_call(service.address, data, sender=sender, more=more)
    except TxReverted as error:
        return error.error_name or error.code
    return ACCEPTED


def right_call(system: AggregationSystem, program: bytes) -> Call:
    """A call about invented commitments that the contract of a devnet takes."""
    commitments = [keccak256(b"invented %d" % number) for number in range(3)]
    root, (blob,) = tree_of(system, commitments).root, encode_blobs(commitments)
    kzg = commitment_of(blob)
    blob_hash = versioned_hash(kzg)
    opening = open_blob(blob, challenge(root, len(commitments), blob_hash))
    output = ChunkOutput(root, len(commitments), (BlobPoint(blob_hash, opening.y),)).encode()
    proof = dev_proof(_NATIVE, program, output)
    return Call(system, program, output, proof, kzg + opening.proof, (blob_hash,))


def forgeries(right: Call) -> Iterator[tuple[str, Call, str]]:
    """What is wrong, the call, and the error that it must meet."""
    inputs = right.public_inputs
    other_blob = b"\x01" + keccak256(b"another blob")[1:]
    yield "chunk proof of another program", replace(right, program=keccak256(b"p")), "ProgramNotAllowed"
    yield "proof of other public inputs", replace(right, proof=_flipped(right.proof, -1)), "ProofInvalid"
    yield "trailing byte after the proof", replace(right, proof=right.proof + b"\0"), "WrongProofLength"
    yield "public inputs of 21 bytes", right.with_inputs(inputs[:21]), "MalformedPublicInputs"
    yield "count of 0", right.with_inputs(_with_count(inputs, 0)), "LeafCountOutOfRange"
    yield (
        "count that needs more blobs",
        right.with_inputs(_with_count(inputs, 3_969)),
        "MalformedPublicInputs",
    )
    yield (
        "count that the blob was not bound to",
        right.with_inputs(_with_count(inputs, 2)),
        "BlobOpeningInvalid",
    )
    yield "root that the blob was not bound to", right.with_inputs(_flipped(inputs, 0)), "BlobOpeningInvalid"
    yield "value that the blob does not have", right.with_inputs(_flipped(inputs, -1)), "BlobOpeningInvalid"
    yield "transaction without the blob", replace(right, blob_hashes=()), "BlobMissing"
    yield "transaction with another blob", replace(right, blob_hashes=(other_blob,)), "BlobMissing"
    yield "opening that is cut off", replace(right, openings=right.openings[:-1]), "WrongOpeningsLength"


def _with_count(inputs: bytes, count: int) -> bytes:
    return inputs[:_WORD] + count.to_bytes(_WORD, "big") + inputs[2 * _WORD :]


def _flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)
