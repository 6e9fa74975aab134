"""The deployment plan on another chain id than a devnet's: real verifiers, roles handed over, no dev verifier."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError

from aligned.chain.abi import decode_error
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import ProtocolError
from aligned.devnet import layout
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.deploy import deploy
from aligned.devnet.params import DeploymentParams
from aligned.devnet.senders import Web3Sender
from tests.integration.node import Anvil

MAINNET = 1
PROGRAMS = {system: bytes([0, *([int(system)] * 31)]) for system in AggregationSystem}


@pytest.fixture(scope="module")
def sender() -> Iterator[Web3Sender]:
    with Anvil("--chain-id", str(MAINNET)) as node:
        web3 = Web3(HTTPProvider(node.url))
        # Not the account that the parameters name: what it keeps would be noticed.
        yield Web3Sender(web3, web3.eth.accounts[9])


@pytest.fixture(scope="module")
def params() -> DeploymentParams:
    return DeploymentParams.load(layout.PARAMS / "mainnet-fork.yaml")


@pytest.fixture(scope="module")
def artifacts() -> Artifacts:
    return Artifacts.load(layout.ARTIFACTS)


def test_deploy__chain_id_of_mainnet__everything_checked_and_handed_over(
    sender: Web3Sender, params: DeploymentParams, artifacts: Artifacts
) -> None:
    placed = deploy(sender, params, artifacts, programs=PROGRAMS)
    assert placed.chain_id == MAINNET
    assert sender.code(placed.aggregation_service)
    assert sender.code(placed.aggregation_payment_service)


def test_deploy__dev_verifiers_past_the_validation__refused_by_the_contract_itself(
    sender: Web3Sender, params: DeploymentParams, artifacts: Artifacts
) -> None:
    dev = params.model_copy(
        update={"aggregation": params.aggregation.model_copy(update={"verifiers": "dev"})}
    )
    with pytest.raises(ContractCustomError) as caught:
        deploy(sender, dev, artifacts, programs=PROGRAMS)
    assert decode_error(bytes.fromhex(str(caught.value.data)[2:])) == f"NotDevChain({MAINNET})"


def test_deploy__no_program_for_a_system__refused_before_the_first_transaction(
    sender: Web3Sender, params: DeploymentParams, artifacts: Artifacts
) -> None:
    block = sender.block_number()
    with pytest.raises(ProtocolError, match="no aggregating program for risc0"):
        deploy(sender, params, artifacts, programs={AggregationSystem.SP1: PROGRAMS[AggregationSystem.SP1]})
    assert sender.block_number() == block
