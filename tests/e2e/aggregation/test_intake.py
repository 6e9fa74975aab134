"""Batches of the fast mode, whose proofs the proof aggregator takes over where its intake is enabled."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from eth_account.signers.local import LocalAccount

from aligned.chain.contracts import AggregationService
from aligned.core.aggregation import AggregationSystem
from aligned.devnet.cases import good_proofs
from aligned.devnet.cluster import Cluster
from aligned.devnet.roles import AGGREGATION_DATABASE
from aligned.sdk import AlignedClient
from aligned.sdk.deadline import Deadline
from aligned.storage.postgres import Database
from tests.e2e.aggregation.conftest import WAIT_S

pytestmark = pytest.mark.asyncio(loop_scope="session")
TAKEN = "risc0/fib3_20_composite.proof"
LEFT_OUT = "circom/preimage_a.proof.json"
_ROWS = """
SELECT p.state, p.system, p.program_id, p.public_inputs, p.leaf_index, p.path, a.root
FROM proofs p LEFT JOIN aggregations a ON a.id = p.aggregation_id
WHERE p.source = 'batch' AND p.batch_root = %s
"""


@pytest_asyncio.fixture(loop_scope="session")
async def intake(cluster: Cluster) -> AsyncIterator[None]:
    """The cluster's proof aggregator, with the intake of what is posted from now on."""
    aggregator, file = cluster.role("proof-aggregator"), cluster.layout.settings("proof-aggregator")
    usual, block = file.read_text(), await cluster.chain.block_number()
    aggregator.process.stop()
    file.write_text(f"{usual}\n[intake]\nenabled = true\nallow_private_hosts = true\nstart_block = {block}\n")
    try:
        await aggregator.start()
        yield
    finally:
        aggregator.process.stop()
        file.write_text(usual)
        await aggregator.start()


@pytest.mark.usefixtures("intake")
async def test_intake__batch_of_the_fast_mode__its_supported_proofs_are_aggregated_and_included(
    cluster: Cluster, client: AlignedClient, account: LocalAccount
) -> None:
    generator = bytes.fromhex(account.address[2:])
    proofs = [proof.data for proof in good_proofs(generator) if proof.file in (TAKEN, LEFT_OUT)]
    await client.submit(proofs)
    batches = {(await client.wait(data, timeout_s=WAIT_S)).proof.batch_root for data in proofs}
    taken = [row for batch in batches for row in await _final_rows(cluster, batch)]
    assert [row["system"] for row in taken] == [int(AggregationSystem.RISC0)]
    service = AggregationService(cluster.chain, cluster.deployment.aggregation_service)
    (row,) = taken
    assert await service.verify_proof_inclusion(
        row["root"],
        AggregationSystem.RISC0,
        row["program_id"],
        row["public_inputs"],
        row["leaf_index"],
        row["path"],
    )


async def _final_rows(cluster: Cluster, batch_root: bytes) -> list[dict[str, object]]:
    """What was taken over of a batch, once the intake is done with it and all of it is final."""
    waiting = Deadline(WAIT_S)
    async with Database(cluster.database_url(AGGREGATION_DATABASE)) as database:
        while True:
            async with database.transaction() as conn:
                found = await conn.execute(
                    "SELECT state FROM intake_batches WHERE batch_root = %s", (batch_root,)
                )
                states = [row["state"] for row in await found.fetchall()]
                rows = await (await conn.execute(_ROWS, (batch_root,))).fetchall()
            if states and "new" not in states and all(row["state"] == "final" for row in rows):
                return rows
            await waiting.pause(f"intake {states}, proofs {[row['state'] for row in rows]}")
