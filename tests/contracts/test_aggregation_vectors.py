"""The shared vectors of aggregation mode through the Solidity libraries."""

from __future__ import annotations

import json

import pytest
from aggregation_helper import deploy_harness
from eth_utils import keccak
from verifier_helper import VECTORS, raw

from aligned.chain.kzg import commitment_of, open_blob
from aligned.core.blob import encode_blobs
from aligned.core.blob import versioned_hash as blob_hash

FOLDER = VECTORS / "aggregation"


def vectors(name: str):
    return json.loads((FOLDER / name).read_text())


@pytest.fixture(scope="module")
def libraries(web3, owner):
    return deploy_harness(web3, owner, "forge/helpers/AggregationVectors.sol", "AggregationVectors").functions


@pytest.mark.parametrize("tree", vectors("trees.json"), ids=lambda tree: f"{len(tree['leaves'])} leaves")
def test_tree_vector__every_leaf__as_listed_and_included(libraries, tree):
    count = len(tree["leaves"])
    proofs = zip(tree["public_inputs"], tree["program_ids"], strict=True)
    for index, (inputs, program) in enumerate(proofs):
        listed = [raw(tree[name][index]) for name in ("commitments", "leaves")]
        assert [
            bytes(each) for each in libraries.leaf(tree["system_id"], raw(inputs), raw(program)).call()
        ] == listed
        claim = (raw(tree["root"]), count, listed[1], index, raw(tree["paths"][index]))
        assert libraries.verify(*claim).call()


@pytest.mark.parametrize("vector", vectors("blobs.json"), ids=lambda each: f"{each['count']} commitments")
def test_blob_vector__challenge_and_value__as_listed_and_opened_by_the_precompile(libraries, vector):
    root, versioned_hash = raw(vector["root"]), raw(vector["versioned_hash"])
    z = libraries.challenge(root, vector["count"], versioned_hash).call()
    assert z == int(vector["z"], 16)
    commitments = [keccak(f"{vector['seed']} {i}".encode()) for i in range(vector["count"])]
    [blob] = encode_blobs(commitments)
    assert keccak(blob) == raw(vector["blob_keccak"])
    # The vectors' hashes belong to no blob, so that they need no trusted setup; the value at z does not depend on them.
    commitment = commitment_of(blob)
    own_hash = blob_hash(commitment)
    opening = commitment + open_blob(blob, z).proof
    y = int(vector["y"], 16)
    assert libraries.isOpening(own_hash, z, y, opening).call()
    assert not libraries.isOpening(own_hash, z, y ^ 1, opening).call()
