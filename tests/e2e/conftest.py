"""One devnet for all end-to-end tests: four operators, one of them switched off."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from eth_account import Account
from eth_account.signers.local import LocalAccount

from aligned.core.types import VerificationData
from aligned.devnet.cases import good_proofs
from aligned.devnet.cluster import Cluster, ClusterConfig
from aligned.devnet.roles import AggregationConfig
from aligned.sdk import AlignedClient

SWITCHED_OFF = 3
WAIT_S = 90.0


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    home = tmp_path_factory.mktemp("devnet") / "home"
    # Two proofs are enough for an aggregation, and a single one does not wait long.
    quick = AggregationConfig(min_proofs=2, max_age_s=4)
    config = ClusterConfig(home, operators=4, switched_off=frozenset({SWITCHED_OFF}), aggregation=quick)
    async with Cluster(config) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def account(cluster: Cluster) -> LocalAccount:
    """A fresh account with ether and no deposit."""
    fresh: LocalAccount = Account.create()
    await cluster.cheats.set_balance(bytes.fromhex(fresh.address[2:]), 10 * 10**18)
    return fresh


@pytest_asyncio.fixture(loop_scope="session")
async def client(cluster: Cluster, account: LocalAccount) -> AsyncIterator[AlignedClient]:
    """A client whose signer has deposited one ether."""
    async with AlignedClient(cluster.network, account) as opened:
        await opened.deposit(10**18)
        yield opened


@pytest.fixture
def small_proof(account: LocalAccount) -> VerificationData:
    """A real proof of a few hundred bytes; the generator makes its leaf differ from test to test."""
    return named_proof("circom/preimage_a.proof.json", account)


def named_proof(file: str, account: LocalAccount) -> VerificationData:
    """The real proof of that name."""
    generator = bytes.fromhex(account.address[2:])
    return next(proof.data for proof in good_proofs(generator) if proof.file == file)
