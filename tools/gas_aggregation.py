"""Gas of recording aggregated roots and of proving inclusion under them: real blob transactions through the proxy.

The proofs are made under a key whose secrets are known (groth16_key.py) and checked by the product's verifier, built
with that key instead of the public one: the same code does the same work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eth_account import Account
from web3.types import RPCEndpoint

from aligned.chain.abi import contract_abi
from aligned.chain.blob_tx import BLOB_TX_TYPE, network_form
from aligned.core.aggregation import COMMITMENTS_PER_BLOB, AggregationSystem
from harness import contracts_of
from sample_aggregations import (
    KEYED,
    KEYED_NAMES,
    PROVERS,
    SP1,
    USER_PROGRAM,
    Aggregate,
    aggregate,
    user_input,
    verifier_arguments,
)

if TYPE_CHECKING:
    from gas_chain import GasChain

# A funded account of its own. anvil gives it its money, so it needs no secret.
SENDER_KEY = "0x" + "a1" * 32
SENDER_BALANCE = 10**20
MOST_BLOBS = 6
DEPTH = 12
LEAVES_AT_DEPTH = 1 << DEPTH
INDEX = 0xA5C
SERVICE = "AlignedProofAggregationService"


def measure_aggregation(chain: GasChain) -> dict[str, int]:
    """Figures by name.

    `*_one_blob` is a whole transaction with one full blob. `*_per_blob` and `*_without_blob` are slope and intercept of
    the line through one and six full blobs: no transaction is without a blob.
    """
    sender = Account.from_key(SENDER_KEY)
    chain.web3.provider.make_request(RPCEndpoint("anvil_setBalance"), [sender.address, hex(SENDER_BALANCE)])
    figures: dict[str, int] = {}
    for system in AggregationSystem:
        _allow(chain, system)
        one, six = (
            _verify(chain, sender, aggregate(system, blobs * COMMITMENTS_PER_BLOB, "gas"))
            for blobs in (1, MOST_BLOBS)
        )
        per_blob = -(-(six - one) // (MOST_BLOBS - 1))
        name = f"verify_{system.wire_name}"
        figures |= {
            f"{name}_one_blob": one,
            f"{name}_without_blob": one - per_blob,
            f"{name}_per_blob": per_blob,
        }
    figures["verify_proof_inclusion_12"] = _measure_inclusion(chain, sender)
    return figures


def _allow(chain: GasChain, system: AggregationSystem) -> None:
    abi, code = contracts_of(KEYED)[KEYED_NAMES[system]]
    owner = chain.account(0)
    factory = chain.web3.eth.contract(abi=abi, bytecode=code)
    tx_hash = factory.constructor(*verifier_arguments(system)).transact({"from": owner})
    verifier = chain.web3.eth.wait_for_transaction_receipt(tx_hash, poll_latency=0.01)["contractAddress"]
    service = chain.deployment.aggregation_service
    chain.transact(owner, SERVICE, service, "allowProgram", int(system), PROVERS[system].program_id, verifier)


def _verify(chain: GasChain, sender: Any, given: Aggregate) -> int:
    program, proof = PROVERS[given.system].program_id, given.proof()
    functions = contract_abi(SERVICE).functions
    if given.system is SP1:
        data = functions["verifySP1"].encode(program, given.public_inputs, proof, given.openings)
    else:
        data = functions["verifyRisc0"].encode(program, proof, given.public_inputs, given.openings)
    transaction = {
        "type": BLOB_TX_TYPE,
        "chainId": chain.web3.eth.chain_id,
        "nonce": chain.web3.eth.get_transaction_count(sender.address),
        "to": chain.deployment.aggregation_service,
        "value": 0,
        "data": data,
        "gas": 1_000_000,
        "maxFeePerGas": 10**11,
        "maxPriorityFeePerGas": 1,
        "maxFeePerBlobGas": 10**10,
        "blobVersionedHashes": given.hashes,
    }
    signed = Account.sign_transaction(transaction, SENDER_KEY)
    tx_hash = chain.web3.eth.send_raw_transaction(network_form(bytes(signed.raw_transaction), given.sidecar))
    receipt = chain.web3.eth.wait_for_transaction_receipt(tx_hash, poll_latency=0.02)
    if receipt["status"] != 1:
        raise RuntimeError("the aggregation was not recorded")
    return int(receipt["gasUsed"])


def _measure_inclusion(chain: GasChain, sender: Any) -> int:
    """The view as another contract calls it, in a tree of depth 12."""
    given = aggregate(SP1, LEAVES_AT_DEPTH, "inclusion gas")
    _verify(chain, sender, given)
    claim = (given.root, int(SP1), USER_PROGRAM, user_input(INDEX, "inclusion gas"), INDEX)
    call = contract_abi(SERVICE).functions["verifyProofInclusion"].encode(*claim, given.tree.path(INDEX))
    return chain.inner_gas(chain.deployment.aggregation_service, call)
