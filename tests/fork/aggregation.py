"""Aggregation mode on chain id 1: real verifiers refuse what proves nothing; with a stand-in the whole flow runs.

DevVerifier cannot exist here, and a Groth16 proof of the aggregating programs takes more than a test has. So governance
gives the programs, for this test, a verifier that is compiled below and exists nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import solcx
from pydantic import SecretStr

from aligned.chain.abi import contract_abi
from aligned.chain.contracts import AggregationService, ProgramStatus
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import ProtocolError
from aligned.devnet.aggregation_cases import aggregation_proofs
from aligned.devnet.aggregation_onchain import blob_is_bound, foreign_leaves
from aligned.devnet.cluster import Cluster
from aligned.devnet.forgeries import ACCEPTED, right_call
from aligned.devnet.keys import DEPLOYER
from aligned.devnet.roles import AGGREGATION_DATABASE
from aligned.proof_aggregator import lines
from aligned.proof_aggregator.service import run as run_aggregator
from aligned.sdk import AggregationClient, devnet_account
from aligned.sdk.deadline import Deadline
from aligned.sdk.wallet import Wallet
from aligned.settings import Settings, load

_WAIT_S = 150.0
_SERVICE = "AlignedProofAggregationService"
# As DevVerifier, without its look at the chain id.
_STANDIN = """
// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

contract TestOnlyVerifier {
    uint8 public immutable systemId;
    bytes32 public immutable programId;

    constructor(uint8 systemId_, bytes32 programId_) {
        (systemId, programId) = (systemId_, programId_);
    }

    function verify(bytes calldata publicInputs, bytes calldata proof) external view {
        require(proof.length == 65 && bytes32(proof[33:]) == keccak256(bytes.concat(programId, publicInputs)), "no");
    }
}
"""


async def check_aggregation(cluster: Cluster, client: AggregationClient, patch: pytest.MonkeyPatch) -> None:
    """The flow for both systems; `client` has a signer with ether."""
    await _real_verifiers_refuse(cluster)
    settings = _aggregator_settings(cluster)
    with pytest.raises(ProtocolError, match="use groth16"):
        await run_aggregator(settings, asyncio.Event())
    await _allow_standins(cluster)
    await _pay(client)
    async with _aggregating(settings, patch):
        for system in AggregationSystem:
            await _flow(cluster, client, system)


async def _real_verifiers_refuse(cluster: Cluster) -> None:
    service = AggregationService(cluster.chain, cluster.deployment.aggregation_service)
    programs = await cluster.programs()
    assert set(programs) == set(AggregationSystem)
    for system, program in programs.items():
        assert (await service.program(program)).status == ProgramStatus.ALLOWED
        outcome = await right_call(system, program).outcome(
            cluster.chain, service, _governance(cluster).address
        )
        assert outcome == "WrongProofLength"


async def _allow_standins(cluster: Cluster) -> None:
    """Programs keep their ids; only what checks them changes."""
    bytecode = await asyncio.to_thread(_compiled)
    service = AggregationService(cluster.chain, cluster.deployment.aggregation_service)
    allow = contract_abi(_SERVICE).functions["allowProgram"]
    for system, program in (await cluster.programs()).items():
        arguments = int(system).to_bytes(32, "big") + program
        verifier = await _governance(cluster).deploy(bytecode + arguments)
        await _governance(cluster).send(service.address, allow.encode(int(system), program, verifier))
        outcome = await right_call(system, program).outcome(
            cluster.chain, service, _governance(cluster).address
        )
        assert outcome == ACCEPTED


def _compiled() -> bytes:
    """Creation code of the stand-in."""
    wanted = {"*": {"*": ["evm.bytecode.object"]}}
    request = {
        "language": "Solidity",
        "sources": {"standin.sol": {"content": _STANDIN}},
        "settings": {"outputSelection": wanted},
    }
    answer = solcx.compile_standard(request, solc_version="0.8.30")
    found = answer["contracts"]["standin.sol"]["TestOnlyVerifier"]["evm"]["bytecode"]["object"]
    return bytes.fromhex(found)


async def _pay(client: AggregationClient) -> None:
    await client.deposit()
    proofs, waiting = (await client.terms()).proofs, Deadline(60)
    while (await client.quota()).remaining != proofs:
        await waiting.pause("the payment does not arrive at the gateway")


async def _flow(cluster: Cluster, client: AggregationClient, system: AggregationSystem) -> None:
    service = AggregationService(cluster.chain, cluster.deployment.aggregation_service)
    files = [proof.files for proof in aggregation_proofs(system, 2)]
    receipts = [await client.submit(each) for each in files]
    final = [await client.wait(receipt, timeout_s=_WAIT_S) for receipt in receipts]
    for receipt, each in zip(final, files, strict=True):
        assert await client.verify_inclusion(receipt, each.public_inputs)
    assert final[0].aggregation is not None
    leaves = await client.leaves(final[0].aggregation.root)
    assert await blob_is_bound(cluster.chain, service, leaves)
    refused = await foreign_leaves(service, final[0], files[0].public_inputs)
    assert all(refused.values()), refused


@asynccontextmanager
async def _aggregating(settings: Settings, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The aggregator at level native, whose refusal of this chain is taken away: its proofs are for the stand-in."""
    patch.setattr(lines, "check_level", lambda *_: None)
    stop = asyncio.Event()
    running = asyncio.create_task(run_aggregator(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await running


def _aggregator_settings(cluster: Cluster) -> Settings:
    settings = load(cluster.layout.settings("proof-aggregator"))
    url = SecretStr(cluster.database_url(AGGREGATION_DATABASE))
    return settings.model_copy(update={"database": settings.database.model_copy(update={"url": url})})


def _governance(cluster: Cluster) -> Wallet:
    """Holds the admin role in deployments/params/mainnet-fork.yaml."""
    return Wallet(cluster.chain, devnet_account(DEPLOYER))
