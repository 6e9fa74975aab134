"""What the demo checks of an aggregation on chain without believing the gateway: blobs, and leaves that it lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ckzg
from eth_abi import decode

from aligned.chain.client import ChainClient, hex_bytes, to_bytes
from aligned.chain.contracts import AggregationService
from aligned.chain.kzg import trusted_setup
from aligned.core.aggregation import AggregationSystem, AggregationTree, ChunkOutput
from aligned.core.blob import challenge, versioned_hash
from aligned.core.types import HASH_BYTES
from aligned.sdk.aggregation_models import placement
from aligned.sdk.leaves import Leaves, RootOnChain
from aligned.storage.postgres import Database
from aligned.wire.gateway import Receipt

_OPENING_BYTES, _KZG_BYTES = 96, 48
_FUNCTIONS = {AggregationSystem.SP1: "verifySP1", AggregationSystem.RISC0: "verifyRisc0"}

_CHUNKS = """
SELECT count(*) AS chunks FROM chunks JOIN aggregations ON aggregations.id = aggregation_id
WHERE aggregations.root = %s AND aggregations.state <> 'failed'
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """The transaction that recorded a root, as the chain has it."""

    data: bytes
    public_inputs: bytes
    openings: bytes
    blob_hashes: tuple[bytes, ...]


async def blob_is_bound(chain: ChainClient, service: AggregationService, leaves: Leaves) -> bool:
    """Whether the transaction carried the blobs, their values open at the challenge, and they hold the leaves.

    Args:
        leaves: taken from the chain's blobs, not from an archive: their decoding is the third part of the check.
    """
    found = leaves.found
    sent = await sent_transaction(chain, service, found)
    output = ChunkOutput.decode(sent.public_inputs)
    openings = [
        sent.openings[start : start + _OPENING_BYTES]
        for start in range(0, len(sent.openings), _OPENING_BYTES)
    ]
    hashes = tuple(blob.versioned_hash for blob in output.blobs)
    return (
        (output.root, output.leaf_count) == (found.root, found.leaf_count)
        and sent.blob_hashes == hashes == found.versioned_hashes
        and len(openings) == len(output.blobs)
        and all(
            _opens(output, blob.versioned_hash, blob.y, opening)
            for blob, opening in zip(output.blobs, openings, strict=True)
        )
        and leaves.source.startswith("beacon")
        and leaves.tree.root == output.root
    )


def _opens(output: ChunkOutput, blob_hash: bytes, y: bytes, opening: bytes) -> bool:
    commitment, proof = opening[:_KZG_BYTES], opening[_KZG_BYTES:]
    point = challenge(output.root, output.leaf_count, blob_hash).to_bytes(32, "big")
    holds = ckzg.verify_kzg_proof(commitment, point, y, proof, trusted_setup())
    return versioned_hash(commitment) == blob_hash and bool(holds)


async def chunk_count(database_url: str, root: bytes) -> int:
    """In how many chunks the proofs under a root were proved, as the aggregator's database says."""
    async with Database(database_url) as database, database.transaction() as conn:
        found = await (await conn.execute(_CHUNKS, (root,))).fetchone()
    return 0 if found is None else int(found["chunks"])


async def sent_transaction(chain: ChainClient, service: AggregationService, found: RootOnChain) -> Sent:
    """The transaction that recorded a root."""
    transaction: dict[str, Any] = await chain.rpc("eth_getTransactionByHash", hex_bytes(found.tx_hash))
    data = to_bytes(transaction["input"])
    function = service.contract.abi.functions[_FUNCTIONS[found.system]]
    _program, first, second, openings = decode(function.inputs, data[4:])
    public_inputs = first if found.system is AggregationSystem.SP1 else second
    hashes = tuple(to_bytes(each) for each in transaction["blobVersionedHashes"])
    return Sent(data, public_inputs, openings, hashes)


async def foreign_leaves(
    service: AggregationService, receipt: Receipt, public_inputs: bytes
) -> dict[str, bool]:
    """Questions about proofs that are not under the root, and whether the contract refused each."""
    place, index, path = placement(receipt)
    system, program = AggregationSystem.from_wire(receipt.system), receipt.program_id
    other = AggregationSystem.RISC0 if system is AggregationSystem.SP1 else AggregationSystem.SP1
    root, count = place.root, place.leaf_count
    inner = _first_inner_node(receipt.leaf, index, path)
    ask_proof, ask_leaf = service.verify_proof_inclusion, service.verify_leaf_inclusion
    answers = {
        "other public inputs": await ask_proof(root, system, program, public_inputs + b"\0", index, path),
        "other program": await ask_proof(root, system, root, public_inputs, index, path),
        "other system": await ask_proof(root, other, program, public_inputs, index, path),
        "index ≥ count": await ask_proof(
            root, system, program, public_inputs, index + (1 << len(path) // 32), path
        ),
        "index of another leaf": await ask_proof(
            root, system, program, public_inputs, (index + 1) % count, path
        ),
        "path one level too short": await ask_proof(
            root, system, program, public_inputs, index, path[:-HASH_BYTES]
        ),
        "path one level too long": await ask_proof(
            root, system, program, public_inputs, index, path + bytes(HASH_BYTES)
        ),
        "inner node as a leaf": await ask_leaf(root, system, inner, index >> 1, path[HASH_BYTES:]),
        "unknown root": await ask_proof(program, system, program, public_inputs, index, path),
    }
    return {name: not answer for name, answer in answers.items()}


def _first_inner_node(leaf: bytes, index: int, path: bytes) -> bytes:
    """The node above the leaf, to be passed off as a leaf with the rest of the path."""
    pair = [leaf, path[:HASH_BYTES]]
    return AggregationTree(pair[::-1] if index & 1 else pair).root
