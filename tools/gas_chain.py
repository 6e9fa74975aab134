"""A fresh anvil with everything deployed, for gas measurements: same start, same figures, every time."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aligned_native as native
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint

from aligned.chain.abi import contract_abi
from aligned.chain.deployment import Deployment
from aligned.core import bls
from aligned.core.aggregation import AggregationSystem
from aligned.core.batch import batch_id
from aligned.core.eip712 import possession_digest, task_digest
from aligned.core.quorum import Operator, build_quorum
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.deploy import deploy
from aligned.devnet.params import DeploymentParams, FixedAddresses
from aligned.devnet.senders import Web3Sender
from fresh_build import ensure_fresh

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 30
OPERATORS = 10
STAKE_WEI = 10 * 10**18
# Fixed ones, as a rebuilt program must not change a figure.
PROGRAMS = {system: bytes([0, *([int(system)] * 31)]) for system in AggregationSystem}
# Hashing to the curve skips one x on average. Every measured task is chosen to have exactly one skip.
TYPICAL_SKIPS = 1
GAS_LIMIT = 10_000_000
# Calls the address in the first word with the rest as calldata: (gas of the inner static call, success, result).
# 1. calldata[32:] → memory; 2. gas, staticcall, gas; 3. return difference, success and the first word returned.
CALLER_CODE = "602036038060205f375a5f5f835f5f355afa5a9190602052035f5260205f60403e60605ff3"
CALLER = "0x" + "11" * 20


@contextmanager
def anvil() -> Iterator[Web3]:
    """An anvil of our own on a free port, ended at exit."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binary = ROOT / ".venv" / "bin" / "anvil"
    command = [str(binary), "--host", "127.0.0.1", "--port", str(port), "--accounts", "20", "--silent"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        web3 = Web3(HTTPProvider(f"http://127.0.0.1:{port}"))
        deadline = time.monotonic() + START_TIMEOUT_S
        while not web3.is_connected():
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("anvil did not start")
            time.sleep(0.05)
        yield web3
    finally:
        process.terminate()
        process.wait(timeout=10)


@dataclass
class GasChain:
    """The deployed system and its operators."""

    web3: Web3
    deployment: Deployment
    operators: list[Operator]
    secrets: list[bls.SecretKey]

    def transact(self, sender: str, name: str, to: str, function: str, *args: object, value: int = 0) -> int:
        """Sends a call; its whole transaction's gas."""
        data = contract_abi(name).functions[function].encode(*args)
        # A fixed limit: an estimate would run at the newest block, in which the task was only just created.
        transaction: Any = {"from": sender, "to": to, "data": data, "value": value, "gas": GAS_LIMIT}
        tx_hash = self.web3.eth.send_transaction(transaction)
        receipt = self.web3.eth.wait_for_transaction_receipt(tx_hash, poll_latency=0.01)
        if receipt["status"] != 1:
            raise RuntimeError(f"{function} reverted")
        return int(receipt["gasUsed"])

    def view(self, name: str, to: str, function: str, *args: object) -> Any:
        """First return value of a view."""
        codec = contract_abi(name).functions[function]
        return codec.decode(bytes(self.web3.eth.call({"to": to, "data": codec.encode(*args)})))[0]

    def inner_gas(self, target: str, call: bytes) -> int:
        """Gas of a view as another contract calls it, everything cold; the view must answer true."""
        self.web3.provider.make_request(RPCEndpoint("anvil_setCode"), [CALLER, "0x" + CALLER_CODE])
        answer = bytes(self.web3.eth.call({"to": CALLER, "data": _raw(target).rjust(32, b"\0") + call}))
        gas, success, result = (int.from_bytes(answer[i : i + 32], "big") for i in (0, 32, 64))
        if (success, result) != (1, 1):
            raise RuntimeError("the view did not answer true")
        return gas

    def account(self, index: int) -> str:
        """One of anvil's funded accounts."""
        return str(self.web3.eth.accounts[index])

    def typical_root(self, sender: str, label: str, created_in: int) -> bytes:
        """A root whose task digest has the typical number of skips, if the task is created in that block."""
        for counter in range(1_000):
            root = native.keccak256(f"{label} {counter}".encode())
            digest = self.digest(root, sender, created_in)
            if len(bls.hash_witness(digest).skips) == TYPICAL_SKIPS:
                return root
        raise RuntimeError("no root with the typical number of skips")

    def digest(self, root: bytes, sender: str, created_in: int) -> bytes:
        """What the operators sign."""
        service = bytes.fromhex(self.deployment.service_manager[2:])
        return task_digest(batch_id(root, _raw(sender)), created_in, self.deployment.chain_id, service)

    def respond(self, responder: str, root: bytes, sender: str, created_in: int, absent: int) -> int:
        """Answers a task without the first `absent` operators; the whole transaction's gas."""
        digest = self.digest(root, sender, created_in)
        signers = list(zip(self.operators, self.secrets, strict=True))[absent:]
        signatures = {operator.operator_id: secret.sign(digest) for operator, secret in signers}
        index = self.view(
            "OperatorRegistry", self.deployment.operator_registry, "snapshotIndexAt", created_in
        )
        quorum = build_quorum(self.operators, signatures, digest, index)
        service = self.deployment.service_manager
        args = (root, sender, quorum.abi())
        return self.transact(responder, "AlignedLayerServiceManager", service, "respondToTask", *args)


@contextmanager
def gas_chain() -> Iterator[GasChain]:
    """A deployed system with ten registered operators of equal stake."""
    with anvil() as web3:
        params = DeploymentParams.load(ROOT / "deployments" / "params" / "devnet.yaml")
        params = params.model_copy(update={"fixed": FixedAddresses()})
        artifacts = Artifacts.load(ensure_fresh())
        sender = Web3Sender(web3, web3.eth.accounts[0])
        chain = GasChain(web3, deploy(sender, params, artifacts, programs=PROGRAMS), [], [])
        for index in range(OPERATORS):
            _register(chain, chain.account(10 + index), index)
        yield chain


def _register(chain: GasChain, account: str, index: int) -> None:
    deployment = chain.deployment
    secret = bls.SecretKey(native.bls_secret_from_seed(f"gas operator {index}".encode().ljust(32, b"\0")))
    g1, g2 = secret.public_keys()
    digest = possession_digest(_raw(account), deployment.chain_id, _raw(deployment.operator_registry))
    witness = bls.hash_witness(digest)
    proof = (bls.g1_words(secret.sign(digest)), (witness.root, list(witness.skips)))
    chain.transact(account, "LocalStakeSource", deployment.stake_source, "bond", value=STAKE_WEI)
    args = (bls.g1_words(g1), bls.g2_words(g2), *proof, "https://operator.example")
    chain.transact(account, "OperatorRegistry", deployment.operator_registry, "register", *args)
    chain.operators.append(Operator(_raw(account), bls.operator_id(g1), STAKE_WEI, 0, g1, g2))
    chain.secrets.append(secret)


def _raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])
