"""Deploys what is not part of the product, and sends aggregations to the service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from eth_account import Account
from web3.exceptions import ContractCustomError, ContractLogicError

from aligned.chain.abi import contract_abi, decode_error
from aligned.chain.blob_tx import BLOB_TX_TYPE, network_form
from aligned.core.aggregation import AggregationSystem
from harness import contracts_of
from sample_aggregations import KEYED, KEYED_NAMES, PROVERS, SP1, Aggregate, verifier_arguments

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
    return deploy_harness(web3, owner, KEYED, KEYED_NAMES[system], *verifier_arguments(system))


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
