"""Aggregations and receipts for tests of the SDK: real trees, blobs and commitments over invented proofs."""

from __future__ import annotations

import json
from typing import Any

import httpx
from aligned_native import keccak256

from aligned.chain.kzg import commitment_of
from aligned.core.aggregation import AggregationSystem, commitment, leaf_of, tree_of
from aligned.core.blob import encode_blobs, versioned_hash
from aligned.sdk.leaves import RootOnChain

SYSTEM = AggregationSystem.SP1
PROGRAM = keccak256(b"program")
INPUTS = [b"public inputs %d" % number for number in range(5)]
COMMITMENTS = [commitment(inputs, PROGRAM) for inputs in INPUTS]
BLOBS = encode_blobs(COMMITMENTS)
TREE = tree_of(SYSTEM, COMMITMENTS)
GENESIS_S, SLOT_S = 1_000, 12


def root_on_chain() -> RootOnChain:
    """The record of the tree over COMMITMENTS."""
    return RootOnChain(
        root=TREE.root,
        system=SYSTEM,
        leaf_count=len(COMMITMENTS),
        program_id=keccak256(b"aggregation program"),
        block_number=7,
        timestamp_s=GENESIS_S + 5 * SLOT_S,
        tx_hash=bytes(32),
        versioned_hashes=tuple(versioned_hash(commitment_of(blob)) for blob in BLOBS),
        revoked=False,
    )


def receipt_fields(index: int = 2, **changes: Any) -> dict[str, Any]:
    """JSON of the receipt of proof `index`; `changes` go into its aggregation."""
    path = TREE.path(index)
    place = {
        "id": 1,
        "level": "native",
        "not_proved": "everything",
        "state": "final",
        "root": _hex(TREE.root),
        "leaf_index": index,
        "leaf_count": len(COMMITMENTS),
        "path": [_hex(path[start : start + 32]) for start in range(0, len(path), 32)],
        "tx_hash": _hex(bytes(32)),
        "block_number": 7,
        "block_hash": _hex(bytes(32)),
        "versioned_hashes": [_hex(each) for each in root_on_chain().versioned_hashes],
        "program_id": _hex(root_on_chain().program_id),
    }
    return {
        "id": "6f1c1f4e-7f5c-4b8e-9d8b-0a3c5f1e2d11",
        "address": _hex(b"\x11" * 20),
        "system": SYSTEM.wire_name,
        "program_id": _hex(PROGRAM),
        "nonce": 0,
        "state": "final",
        "commitment": _hex(COMMITMENTS[index]),
        "leaf": _hex(leaf_of(SYSTEM, COMMITMENTS[index])),
        "proof_hash": _hex(bytes(32)),
        "received_at": "2026-01-01T00:00:00Z",
        "reject": None,
        "history": [{"state": "pending", "at": "2026-01-01T00:00:00Z", "detail": ""}],
        "aggregation": place | changes,
    }


def serving(answers: dict[str, Any]) -> httpx.MockTransport:
    """A server with these answers by path: bytes as they are, anything else as JSON; 404 elsewhere."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path not in answers:
            return httpx.Response(404, json={"code": "not_found"})
        found = answers[request.url.path]
        return httpx.Response(200, content=found if isinstance(found, bytes) else json.dumps(found).encode())

    return httpx.MockTransport(answer)


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
