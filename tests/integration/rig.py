"""A chain with our contracts and registered operators, for tests of the roles."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aligned_native import bls_secret_from_seed
from eth_abi import encode
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3

from aligned.chain.abi import contract_abi
from aligned.chain.client import ChainClient
from aligned.chain.contracts import OperatorRegistry, ServiceManager
from aligned.chain.deployment import Deployment
from aligned.core.batch import batch_id
from aligned.core.bls import SecretKey
from aligned.devnet import layout
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.deploy import deploy
from aligned.devnet.params import DeploymentParams
from aligned.devnet.senders import Web3Sender, anvil_place, local_account_submit
from aligned.operator.register import registration_calldata
from aligned.settings import Settings
from tests.integration.node import Anvil

STAKE_WEI = 10 * 10**18
FEE_WEI = 10**16


@dataclass(frozen=True, slots=True)
class RigOperator:
    """An operator's keys."""

    account: LocalAccount
    secret: SecretKey

    @property
    def address(self) -> bytes:
        return bytes.fromhex(self.account.address[2:])

    @property
    def operator_id(self) -> bytes:
        return self.secret.operator_id()


@dataclass(frozen=True, slots=True)
class RigTask:
    """A task on chain."""

    root: bytes
    sender: bytes
    task_block: int

    @property
    def batch_id(self) -> bytes:
        return batch_id(self.root, self.sender)


@dataclass(slots=True)
class Rig:
    """A chain that mines each transaction at once, our contracts, and operators with equal stakes."""

    node: Anvil
    web3: Web3
    deployment: Deployment
    folder: Path
    operators: list[RigOperator] = field(default_factory=list)

    @property
    def manager(self) -> bytes:
        return bytes.fromhex(self.deployment.service_manager[2:])

    def sender(self, account: LocalAccount) -> Web3Sender:
        return Web3Sender(self.web3, account.address, local_account_submit(self.web3, account))

    def add_operator(self, stake_wei: int = STAKE_WEI) -> RigOperator:
        """Registers one more operator."""
        operator = self.new_operator(len(self.operators))
        send = self.sender(operator.account)
        bond = contract_abi("LocalStakeSource").functions["bond"].encode()
        send.transact(self.deployment.stake_source, bond, stake_wei)
        registry = OperatorRegistry(self._client(), self.deployment.operator_registry)
        calldata = registration_calldata(
            registry, operator.secret, operator.address, self.deployment.chain_id, ""
        )
        send.transact(self.deployment.operator_registry, calldata)
        self.operators.append(operator)
        return operator

    def new_operator(self, number: int) -> RigOperator:
        """Keys of an operator that is not registered."""
        account = self.node.new_account()
        return RigOperator(account, SecretKey(bls_secret_from_seed(b"rig operator %d" % number + bytes(32))))

    def create_task(self, root: bytes, pointer: str, account: LocalAccount | None = None) -> RigTask:
        """Submits a batch straight to the service manager, as anybody may."""
        account = account or self.node.new_account()
        manager = ServiceManager(self._client(), self.deployment.service_manager)
        calldata = manager.encode_create_new_task(root, pointer, FEE_WEI)
        self.sender(account).transact(self.deployment.service_manager, calldata, FEE_WEI)
        return RigTask(root, bytes.fromhex(account.address[2:]), self.web3.eth.block_number)

    def create_task_with_raw_pointer(self, root: bytes, pointer: bytes, account: LocalAccount) -> None:
        """As `create_task`, with a pointer that need not be text."""
        function = contract_abi("AlignedLayerServiceManager").functions["createNewTask"]
        data = function.selector + encode(["bytes32", "bytes", "uint256"], [root, pointer, FEE_WEI])
        self.sender(account).transact(self.deployment.service_manager, data, FEE_WEI)

    def call_as_admin(self, function: str, *args: object) -> None:
        """A restricted call of the service manager; the deployer holds every role."""
        data = contract_abi("AlignedLayerServiceManager").functions[function].encode(*args)
        Web3Sender(self.web3, self.web3.eth.accounts[0]).transact(self.deployment.service_manager, data)

    def settings(self, database_url: str, **sections: dict[str, Any]) -> Settings:
        """Settings of a role on this chain, quick and for one machine."""
        file = self.folder / "deployment.json"
        self.deployment.save(file)
        chain = {
            "rpc_urls": (self.node.url,),
            "chain_id": self.deployment.chain_id,
            "deployment_file": file,
            "poll_s": 0.1,
        }
        return Settings(chain=chain, database={"url": database_url}, **sections)  # type: ignore[arg-type]

    def operator_settings(self, operator: RigOperator, database_url: str, **own: Any) -> Settings:
        """Settings of one operator."""
        keys = {
            "devnet_private_key": operator.account.key.hex(),
            "devnet_bls_secret": operator.secret.raw.hex(),
        }
        defaults = {
            "allow_private_hosts": True,
            "verifier_workers": 1,
            "retry_s": 0.1,
            "max_retry_s": 0.5,
            "lease_s": 2.0,
        }
        return self.settings(database_url, operator=defaults | keys | own)

    def aggregator_settings(self, account: LocalAccount, database_url: str, **own: Any) -> Settings:
        """Settings of the aggregator."""
        defaults = {
            "port": 0,
            "late_signer_wait_s": 0.3,
            "recheck_s": 0.3,
            "lease_s": 2.0,
            "unknown_task_wait_s": 10.0,
        }
        key = {"devnet_private_key": account.key.hex()}
        return self.settings(database_url, aggregator=defaults | key | own)

    def _client(self) -> ChainClient:
        # Only for its addresses and codecs; nothing is asked.
        return ChainClient([self.node.url], self.deployment.chain_id)


@contextmanager
def running_rig(folder: Path, operators: int, **service: int) -> Iterator[Rig]:
    """A fresh chain with the contracts and `operators` operators.

    Args:
        service: parameters of the service manager other than the devnet's.
    """
    with Anvil() as node:
        web3 = Web3(HTTPProvider(node.url))
        params = DeploymentParams.load(layout.PARAMS / "devnet.yaml")
        params = params.model_copy(update={"service": params.service.model_copy(update=service)})
        sender = Web3Sender(web3, web3.eth.accounts[0])
        rig = Rig(node, web3, deploy(sender, params, _artifacts(), anvil_place(web3)), folder)
        for _ in range(operators):
            rig.add_operator()
        yield rig


@functools.cache
def _artifacts() -> Artifacts:
    return Artifacts.load(layout.ARTIFACTS)
