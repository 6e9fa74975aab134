"""Users of aggregation mode on the devnet of all end-to-end tests."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from eth_account import Account
from eth_account.signers.local import LocalAccount

from aligned.chain.contracts import AggregationPayments
from aligned.core.aggregation import AggregationSystem
from aligned.devnet.aggregation_cases import aggregation_proofs
from aligned.devnet.cluster import Cluster
from aligned.devnet.keys import DEPLOYER
from aligned.sdk import AggregationClient, ProofFiles, devnet_account
from aligned.sdk.deadline import Deadline
from aligned.sdk.wallet import Wallet

WAIT_S = 300.0
Grant = Callable[[int], Awaitable[LocalAccount]]
SYSTEMS = list(AggregationSystem)


@pytest_asyncio.fixture(loop_scope="session")
async def grant(cluster: Cluster) -> Grant:
    """Makes an account and has governance grant it so many proofs; returns when the gateway knows."""

    async def give(proofs: int) -> LocalAccount:
        account: LocalAccount = Account.create()
        address = bytes.fromhex(account.address[2:])
        payments = AggregationPayments(cluster.chain, cluster.aggregation.payment_service)
        governance = Wallet(cluster.chain, devnet_account(DEPLOYER))
        until_s = int(time.time()) + 3_600
        await governance.send(payments.address, payments.encode_grant([address], proofs, until_s))
        async with AggregationClient(cluster.aggregation) as client:
            await until_quota(client, proofs, address)
        return account

    return give


@pytest_asyncio.fixture(loop_scope="session")
async def aggregation(cluster: Cluster, account: LocalAccount) -> AsyncIterator[AggregationClient]:
    """A client whose signer has paid for one period."""
    async with AggregationClient(cluster.aggregation, account) as opened:
        await opened.deposit()
        await until_quota(opened, (await opened.terms()).proofs)
        yield opened


async def until_quota(client: AggregationClient, proofs: int, address: bytes | None = None) -> None:
    """Waits until the gateway says that so many proofs may be submitted."""
    waiting = Deadline(WAIT_S)
    while (remaining := (await client.quota(address)).remaining) != proofs:
        await waiting.pause(f"quota {remaining}, wanted {proofs}")


@pytest.fixture(params=SYSTEMS, ids=lambda system: system.wire_name)
def system(request: pytest.FixtureRequest) -> AggregationSystem:
    found: AggregationSystem = request.param
    return found


def proofs_of(system: AggregationSystem, count: int) -> list[ProofFiles]:
    """So many real proofs, repeated if need be."""
    return [proof.files for proof in aggregation_proofs(system, count)]
