"""Aggregations as the off-chain side makes them, and proofs of them under a key whose secrets the tests know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import groth16_key as trapdoor
import pytest
from eth_account import Account
from eth_utils import keccak
from harness import contracts_of
from web3.exceptions import ContractCustomError, ContractLogicError

from aligned.chain.abi import contract_abi, decode_error
from aligned.chain.blob_tx import BLOB_TX_TYPE, network_form
from aligned.chain.kzg import Sidecar, open_blob, sidecar_of
from aligned.core.aggregation import (
    AggregationSystem,
    AggregationTree,
    BlobPoint,
    ChunkOutput,
    commitment,
    tree_of,
)
from aligned.core.blob import challenge, encode_blobs

SP1, RISC0 = AggregationSystem
KEY = trapdoor.TrapdoorKey.make()
USER_PROGRAM = keccak(b"a user's program")
PROVERS = {
    SP1: trapdoor.SP1Prover(
        KEY,
        bytes.fromhex("00c0ffee").ljust(32, b"\x11"),
        bytes.fromhex("4388a21c"),
        bytes.fromhex("002f850ee998974d6cc00e50cd0814b098c05bfade466d28573240d057f25352"),
    ),
    RISC0: trapdoor.Risc0Prover(
        KEY,
        keccak(b"an aggregating image"),
        bytes.fromhex("a54dc85ac99f851c92d7c96d7318af41dbe7c0194edfcc37eb4d422a998c1f56"),
        bytes.fromhex("04446e66d300eb7fb45c9726bb53c793dda407a62e9601618bb43c5c14657ac0"),
    ),
}
KEYED = "forge/helpers/KeyedVerifiers.sol"
GAS_LIMIT = 1_500_000


def deploy_harness(web3: Any, owner: Any, file: str, name: str, *args: object) -> Any:
    """A contract of forge/, deployed: it is not part of the product."""
    abi, code = contracts_of(file)[name]
    deployed = web3.eth.contract(abi=abi, bytecode=code).constructor(*args)
    receipt = web3.eth.wait_for_transaction_receipt(deployed.transact({"from": owner.address}))
    assert receipt["status"] == 1
    return web3.eth.contract(receipt["contractAddress"], abi=abi)


def keyed_verifier(web3: Any, owner: Any, system: AggregationSystem) -> Any:
    """The product's verifier under the tests' key."""
    if system is SP1:
        prover = PROVERS[SP1]
        args = (KEY.abi(), prover.selector, prover.vk_root, prover.program_id)
        return deploy_harness(web3, owner, KEYED, "KeyedSP1Verifier", *args)
    prover = PROVERS[RISC0]
    args = (KEY.abi(), prover.program_id, prover.control_root, prover.control_id)
    return deploy_harness(web3, owner, KEYED, "KeyedRisc0Verifier", *args)


@dataclass(frozen=True)
class Aggregate:
    """What a prover aggregated, and what a transaction carries of it."""

    system: AggregationSystem
    commitments: tuple[bytes, ...]
    tree: AggregationTree
    sidecar: Sidecar
    output: ChunkOutput
    openings: bytes

    @property
    def root(self) -> bytes:
        return self.tree.root

    @property
    def public_inputs(self) -> bytes:
        return self.output.encode()

    @property
    def hashes(self) -> tuple[bytes, ...]:
        return self.sidecar.versioned_hashes

    def proof(self, **changes: Any) -> bytes:
        return PROVERS[self.system].prove(self.public_inputs, **changes)

    def claiming(self, **fields: Any) -> Aggregate:
        """The same with another output; a proof of it exists under the tests' key, whatever it says."""
        return replace(self, output=replace(self.output, **fields))


def user_input(index: int, label: str = "") -> bytes:
    """Public inputs of the user proof at an index."""
    return f"{label} public input {index}".encode()


@cache
def aggregate(system: AggregationSystem, count: int, label: str = "") -> Aggregate:
    """An aggregation of that many proofs of one program."""
    commitments = tuple(commitment(user_input(i, label), USER_PROGRAM) for i in range(count))
    tree = tree_of(system, commitments)
    blobs = tuple(encode_blobs(commitments))
    sidecar = sidecar_of(blobs)
    hashes = sidecar.versioned_hashes
    opened = [
        open_blob(blob, challenge(tree.root, count, name)) for blob, name in zip(blobs, hashes, strict=True)
    ]
    points = tuple(BlobPoint(name, opening.y) for name, opening in zip(hashes, opened, strict=True))
    pairs = zip(sidecar.commitments, opened, strict=True)
    openings = b"".join(point + opening.proof for point, opening in pairs)
    return Aggregate(system, commitments, tree, sidecar, ChunkOutput(tree.root, count, points), openings)


@dataclass(frozen=True)
class Submitter:
    """Sends aggregations to the service, or asks why it would refuse them."""

    web3: Any
    service: str
    account: Any

    def calldata(self, given: Aggregate, **changes: Any) -> bytes:
        """`changes` replaces arguments: system, program, public_inputs, proof, openings."""
        system = changes.get("system", given.system)
        program = changes.get("program", PROVERS[given.system].program_id)
        inputs = changes.get("public_inputs", given.public_inputs)
        proof = changes["proof"] if "proof" in changes else given.proof()
        openings = changes.get("openings", given.openings)
        functions = contract_abi("AlignedProofAggregationService").functions
        if system is SP1:
            return functions["verifySP1"].encode(program, inputs, proof, openings)
        return functions["verifyRisc0"].encode(program, proof, inputs, openings)

    def send(self, given: Aggregate, **changes: Any) -> Any:
        """A real blob transaction; its receipt."""
        sidecar = changes.pop("sidecar", given.sidecar)
        transaction = {
            "type": BLOB_TX_TYPE,
            "chainId": self.web3.eth.chain_id,
            "nonce": self.web3.eth.get_transaction_count(self.account.address),
            "to": self.service,
            "value": 0,
            "data": self.calldata(given, **changes),
            "gas": GAS_LIMIT,
            "maxFeePerGas": 10**12,
            "maxPriorityFeePerGas": 1,
            "maxFeePerBlobGas": 10**10,
            "blobVersionedHashes": sidecar.versioned_hashes,
        }
        signed = Account.sign_transaction(transaction, self.account.private_key)
        tx_hash = self.web3.eth.send_raw_transaction(network_form(bytes(signed.raw_transaction), sidecar))
        return self.web3.eth.wait_for_transaction_receipt(tx_hash, poll_latency=0.02)

    def refusal(self, given: Aggregate, hashes: tuple[bytes, ...] | None = None, **changes: Any) -> str:
        """Error of a call whose transaction would carry blobs with these hashes. Fails if there is none."""
        carried = given.hashes if hashes is None else hashes
        call = {"from": self.account.address, "to": self.service, "gas": GAS_LIMIT}
        call["data"] = self.calldata(given, **changes)
        if carried:
            call |= {"blobVersionedHashes": ["0x" + name.hex() for name in carried]}
            call |= {"maxFeePerBlobGas": 10**10}
        try:
            self.web3.eth.call(call)
        except (ContractCustomError, ContractLogicError) as error:
            data = bytes.fromhex(str(error.data or "0x").removeprefix("0x"))
            return decode_error(data) or f"no known error: {data.hex()}"
        pytest.fail("the aggregation was not refused")
