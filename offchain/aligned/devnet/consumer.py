"""The example contracts, used as an application would use a verified proof, of either product."""

from __future__ import annotations

from collections.abc import Sequence

from aligned_native import keccak256

from aligned.chain.abi import contract_abi
from aligned.chain.client import ChainClient, Contract
from aligned.chain.contracts import AggregationService
from aligned.chain.errors import TxReverted
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import InvariantError
from aligned.core.types import ProvingSystem, VerificationData
from aligned.devnet import layout
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.keys import FIRST_USER
from aligned.sdk.accounts import devnet_account
from aligned.sdk.aggregation_models import placement
from aligned.sdk.models import ProofVerificationData
from aligned.sdk.wallet import Wallet
from aligned.wire.gateway import Receipt

_NAME, _AGGREGATED = "FibonacciConsumer", "AggregatedProofConsumer"
_REFUSALS = ("ProofNotVerified", "ProofNotAggregated")


async def use_in_contract(
    chain: ChainClient,
    service_manager: str,
    program: bytes,
    proofs: Sequence[tuple[VerificationData, ProofVerificationData]],
) -> list[bool]:
    """Deploys the example contract for one SP1 program and shows it proofs; whether it took each.

    Args:
        program: what the proofs of the accepted program carry as key or program code.
    """
    wallet = Wallet(chain, devnet_account(FIRST_USER))
    creation = Artifacts.load(layout.ARTIFACTS).creation(
        _NAME, service_manager, program, int(ProvingSystem.SP1)
    )
    contract = Contract(await wallet.deploy(creation), contract_abi(_NAME))
    return [await _show(chain, wallet, contract, data, verified) for data, verified in proofs]


async def use_aggregated(
    chain: ChainClient, service: AggregationService, receipt: Receipt, public_inputs: bytes
) -> tuple[bool, bool]:
    """Deploys the example for the receipt's program; whether it took the proof, and refused other public inputs."""
    wallet = Wallet(chain, devnet_account(FIRST_USER))
    system = AggregationSystem.from_wire(receipt.system)
    creation = Artifacts.load(layout.ARTIFACTS).creation(
        _AGGREGATED, "0x" + service.address.hex(), int(system), receipt.program_id
    )
    contract = Contract(await wallet.deploy(creation), contract_abi(_AGGREGATED))
    place, index, path = placement(receipt)
    submit = contract.abi.functions["submit"].encode
    takes = await _is_taken(wallet, contract, submit(public_inputs, place.root, index, path))
    other = await _is_taken(wallet, contract, submit(public_inputs + b"\0", place.root, index, path))
    if takes and not await chain.call(contract, "proved", [keccak256(public_inputs)]):
        raise InvariantError("consumer", "the contract took the proof and does not remember it")
    return takes, not other


async def _is_taken(wallet: Wallet, contract: Contract, call: bytes) -> bool:
    try:
        await wallet.send(contract.address, call)
    except TxReverted as error:
        if error.error_name not in _REFUSALS:
            raise
        return False
    return True


async def _show(
    chain: ChainClient,
    wallet: Wallet,
    contract: Contract,
    data: VerificationData,
    verified: ProofVerificationData,
) -> bool:
    inclusion = (
        verified.proof_commitment,
        verified.generator,
        verified.batch_root,
        verified.merkle_path,
        verified.index,
        verified.sender_address,
    )
    call = contract.abi.functions["submit"].encode(data.pub_input, inclusion)
    if not await _is_taken(wallet, contract, call):
        return False
    if not await chain.call(contract, "proved", [verified.pub_input_commitment]):
        raise InvariantError("consumer", "the contract took the proof and does not remember it")
    return True
