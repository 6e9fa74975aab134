"""What a fresh chain needs before the roles start: contracts, bonded stake, registered operators."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from web3 import HTTPProvider, Web3

from aligned.chain.abi import contract_abi
from aligned.chain.client import ChainClient
from aligned.chain.contracts import OperatorRegistry, PaymentService, ServiceManager
from aligned.chain.deployment import Deployment, address_bytes
from aligned.core.errors import ProtocolError
from aligned.devnet import layout
from aligned.devnet.anvil import CHAIN_ID
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.deploy import deploy
from aligned.devnet.keys import BATCHER, DEPLOYER, REFERENCE_USER, RoleKeys
from aligned.devnet.params import INVALID_PARAMS, DeploymentParams
from aligned.devnet.quorum import quorum_problem
from aligned.devnet.senders import Sender, Web3Sender, anvil_place, local_account_submit
from aligned.operator.register import registration_calldata
from aligned.sdk.accounts import devnet_account
from aligned.sdk.wallet import Wallet

_BOND_WEI = 10 * 10**18
_DEPOSIT_WEI = 10**18


async def deploy_contracts(chain: ChainClient, rpc_url: str) -> Deployment:
    """Deploys with the parameters of the devnet, or of the fork of mainnet; signed by the deployer's account."""
    return await asyncio.to_thread(_deploy, rpc_url, chain.chain_id)


def _deploy(rpc_url: str, chain_id: int) -> Deployment:
    web3 = Web3(HTTPProvider(rpc_url))
    name = "devnet" if chain_id == CHAIN_ID else "mainnet-fork"
    batcher = devnet_account(BATCHER).address
    params = DeploymentParams.load(layout.PARAMS / f"{name}.yaml")
    params = params.model_copy(update={"payment": params.payment.model_copy(update={"batcher": batcher})})
    deployer = devnet_account(DEPLOYER)
    sender = Web3Sender(web3, deployer.address, local_account_submit(web3, deployer))
    place = anvil_place(web3) if chain_id == CHAIN_ID else None
    return deploy(sender, params, Artifacts.load(layout.ARTIFACTS), place)


def deploy_named(sender: Sender, web3: Web3, params_name: str) -> Deployment:
    """Deploys with parameters named as for `params_file`; a devnet's node places the fixed addresses."""
    params = DeploymentParams.load(params_file(params_name))
    place = anvil_place(web3) if params.chain_id == CHAIN_ID else None
    return deploy(sender, params, Artifacts.load(layout.ARTIFACTS), place)


def params_file(name: str) -> Path:
    """The parameters of that name in deployments/params, or the file itself.

    Raises:
        ProtocolError: invalid_deployment_params, with the names that there are.
    """
    for file in (Path(name), layout.PARAMS / f"{name}.yaml"):
        if file.is_file():
            return file
    names = ", ".join(sorted(file.stem for file in layout.PARAMS.glob("*.yaml")))
    raise ProtocolError(INVALID_PARAMS, f"{name!r} is no file, and no name in deployments/params ({names})")


async def fund_reference_user(chain: ChainClient, deployment: Deployment) -> None:
    """Deposits for the account that the reference's client takes when it is told no other."""
    wallet = Wallet(chain, devnet_account(REFERENCE_USER))
    deposit = PaymentService(chain, deployment.payment_service).encode_deposit(wallet.address)
    await wallet.send(address_bytes(deployment.payment_service), deposit, value_wei=_DEPOSIT_WEI)


async def quorum_warnings(manager: ServiceManager, registered: int, running: int) -> list[str]:
    """Says so when the operators that run cannot verify a batch."""
    config = await manager.config()
    problem = quorum_problem(registered, running, config.min_signers, config.threshold_bps)
    return [] if problem is None else [f"no batch will be verified: {problem}"]


async def register_operators(
    chain: ChainClient, deployment: Deployment, operators: Sequence[RoleKeys]
) -> None:
    """Bonds stake for each operator and registers its BLS key with a proof of possession."""
    registry = OperatorRegistry(chain, deployment.operator_registry)
    bond = contract_abi("LocalStakeSource").functions["bond"].encode()
    for keys in operators:
        wallet = Wallet(chain, keys.account)
        await wallet.send(address_bytes(deployment.stake_source), bond, value_wei=_BOND_WEI)
        assert keys.bls is not None
        data = registration_calldata(registry, keys.bls, keys.address, chain.chain_id, "")
        await wallet.send(registry.address, data)
