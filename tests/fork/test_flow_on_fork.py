"""The same flows end to end on a fork of mainnet: contracts, roles and a user on chain id 1, with encrypted keystores.

Run it with `ape test tests/fork --network ethereum:mainnet-fork:foundry`; the header says what is forked.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from ape import networks
from eth_account import Account

from aligned.devnet.cases import bad_proofs, good_proofs
from aligned.devnet.cluster import Cluster, ClusterConfig
from aligned.devnet.consumer import use_in_contract
from aligned.devnet.gas import measure_gas
from aligned.devnet.roles import AggregationConfig
from aligned.sdk import AggregationClient, AlignedClient, State
from tests.fork.aggregation import check_aggregation
from tests.fork.standin import WETH

WAIT_S = 120.0
DECIMALS = bytes.fromhex("313ce567")


@pytest.fixture
def fork_url() -> str:
    """RPC URL of the fork that Ape runs."""
    provider = networks.provider
    if provider.network.name != "mainnet-fork":
        pytest.skip("needs --network ethereum:mainnet-fork:foundry, as `make fork` gives it")
    assert provider.chain_id == 1
    return str(provider.uri)


# One test: Ape rolls the chain back after each, which a running system would take for a reorganisation.
async def test_both_modes__on_a_fork_of_mainnet__real_proofs_verified_and_bad_ones_refused(
    fork_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The proof aggregator runs in this process: tests/fork/aggregation.py says why.
    aggregation = AggregationConfig(min_proofs=2, max_age_s=4, aggregator=False)
    config = ClusterConfig(
        tmp_path / "home", operators=3, rpc_url=fork_url, chain_id=1, aggregation=aggregation
    )
    async with Cluster(config) as cluster:
        assert int.from_bytes(await cluster.chain.eth_call(bytes.fromhex(WETH[2:]), DECIMALS)) == 18
        user = Account.create()
        address = bytes.fromhex(user.address[2:])
        await cluster.cheats.set_balance(address, 10 * 10**18)
        async with AlignedClient(cluster.network, user) as client:
            await client.deposit(10**18)
            await check_good(cluster, client, address)
            await check_bad(client, address)
        gas = await measure_gas(cluster.chain, cluster.deployment)
        assert gas.non_signers == 0
        async with AggregationClient(cluster.aggregation, user) as aggregating:
            await check_aggregation(cluster, aggregating, monkeypatch)


async def check_good(cluster: Cluster, client: AlignedClient, generator: bytes) -> None:
    proofs = good_proofs(generator)
    receipts = [result.unwrap() for result in await client.submit([proof.data for proof in proofs])]
    inclusions = [await client.wait(receipt, timeout_s=WAIT_S) for receipt in receipts]
    assert {inclusion.state for inclusion in inclusions} == {State.VERIFIED}
    shown = [(proofs[0].data, inclusions[0].verification_data())]
    program = proofs[0].data.verification_key or b""
    manager = cluster.deployment.service_manager
    assert await use_in_contract(cluster.chain, manager, program, shown) == [True]


async def check_bad(client: AlignedClient, generator: bytes) -> None:
    cases = bad_proofs(generator)[:5]
    results = await client.submit([case.data for case in cases])
    wrong = [case.file for case, result in zip(cases, results, strict=True) if result.error is None]
    assert wrong == []
