"""The example contract, used as an application would use a verified proof."""

from __future__ import annotations

from collections.abc import Sequence

from aligned.chain.abi import contract_abi
from aligned.chain.client import ChainClient, Contract
from aligned.chain.errors import TxReverted
from aligned.core.errors import InvariantError
from aligned.core.types import ProvingSystem, VerificationData
from aligned.devnet import layout
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.keys import FIRST_USER
from aligned.sdk.accounts import devnet_account
from aligned.sdk.models import ProofVerificationData
from aligned.sdk.wallet import Wallet

_NAME = "FibonacciConsumer"


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
    try:
        await wallet.send(contract.address, call)
    except TxReverted as error:
        if error.error_name != "ProofNotVerified":
            raise
        return False
    if not await chain.call(contract, "proved", [verified.pub_input_commitment]):
        raise InvariantError("consumer", "the contract took the proof and does not remember it")
    return True
