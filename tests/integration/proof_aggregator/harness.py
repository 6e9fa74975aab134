"""An aggregator taken apart: its steps over a real database, a real chain with our contracts, and a scripted engine."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from aligned_native import keccak256
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3

from aligned.chain.abi import contract_abi
from aligned.chain.client import ChainClient
from aligned.chain.contracts import AggregationService
from aligned.chain.deployment import Deployment
from aligned.chain.fees import Caps
from aligned.chain.sender import TxSender
from aligned.core.aggregation import AggregationSystem, commitment, leaf_of
from aligned.devnet import layout
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.deploy import deploy
from aligned.devnet.params import DeploymentParams
from aligned.devnet.senders import Web3Sender, anvil_place
from aligned.loops import Backoff
from aligned.proof_aggregator.budget import Costs
from aligned.proof_aggregator.chunk_prover import ChunkProver
from aligned.proof_aggregator.cleaner import Cleaner
from aligned.proof_aggregator.context import Context, Line, Patience
from aligned.proof_aggregator.final_prover import FinalProver
from aligned.proof_aggregator.follower import Follower
from aligned.proof_aggregator.metrics import ProofAggregatorMetrics
from aligned.proof_aggregator.planner import Planner
from aligned.proof_aggregator.publisher import Publisher
from aligned.proof_aggregator.triggers import Policy
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database
from tests.integration.node import Anvil
from tests.integration.proof_aggregator.engine import ScriptedEngine

SP1, RISC0 = AggregationSystem.SP1, AggregationSystem.RISC0
PROGRAMS = {SP1: b"\x51" * 32, RISC0: b"\x52" * 32}
POLICY = Policy(
    chunk_proofs=4,
    max_proofs=16,
    risc0_max_proofs=16,
    min_proofs=1,
    max_age_s=3_600,
    join_wait_s=60,
    max_fee_wei_per_proof=0,
    costs=Costs(execution_gas=250_000, blob_execution_gas=60_000, proving_wei=0, daily_budget_wei=0),
    daily_at_s=None,
)
PATIENCE = Patience(
    lease_s=30,
    send_timeout_s=300,
    poll_s=0.02,
    max_attempts=2,
    backoff=Backoff(0.01, 0.05),
    give_up_after_s=600,
)
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class AggregationRig:
    """A chain with the contracts."""

    node: Anvil
    web3: Web3
    deployment: Deployment

    @property
    def service(self) -> str:
        return self.deployment.aggregation_service

    def roots(self) -> list[dict[str, Any]]:
        """Events of recorded roots on the chain as it is now."""
        topic = (
            "0x"
            + contract_abi("AlignedProofAggregationService").events["AggregatedProofVerified"].topic.hex()
        )
        wanted = {"fromBlock": "0x0", "address": self.service, "topics": [topic]}
        found: list[dict[str, Any]] = self.node.rpc("eth_getLogs", wanted)
        return found

    def as_admin(self, function: str, *args: object) -> None:
        """A restricted call; the deployer holds every role."""
        data = contract_abi("AlignedProofAggregationService").functions[function].encode(*args)
        Web3Sender(self.web3, self.web3.eth.accounts[0]).transact(self.service, data)


@contextmanager
def aggregation_rig(*options: str) -> Iterator[AggregationRig]:
    """A fresh chain that mines each transaction at once, with verifiers for two made-up programs."""
    with Anvil(*options) as node:
        web3 = Web3(HTTPProvider(node.url))
        params = DeploymentParams.load(layout.PARAMS / "devnet.yaml")
        sender = Web3Sender(web3, web3.eth.accounts[0])
        artifacts = Artifacts.load(layout.ARTIFACTS)
        yield AggregationRig(
            node, web3, deploy(sender, params, artifacts, anvil_place(web3), programs=PROGRAMS)
        )


@dataclass
class Parts:
    """One aggregator's steps."""

    context: Context
    engine: ScriptedEngine
    policy: Policy
    clients: list[ChainClient] = field(default_factory=list)

    @property
    def db(self) -> Database:
        return self.context.db

    def planner(self, **changes: Any) -> Planner:
        return Planner(self.context, replace(self.policy, **changes))

    async def plan(self, **changes: Any) -> None:
        """Decides until there is nothing more to decide."""
        planner = self.planner(**changes)
        while await planner.step():
            pass

    async def prove_chunks(self) -> None:
        """Proves until no chunk is open."""
        await self._until_none("chunks", "state = 'proving'", ChunkProver(self.context).step)

    async def prove_final(self, system: AggregationSystem = SP1) -> None:
        await FinalProver(self.context, self.context.lines[system]).step()

    async def publish(self, system: AggregationSystem = SP1) -> None:
        await Publisher(self.context, self.context.lines[system]).step()

    async def publish_until_settled(self, system: AggregationSystem = SP1) -> None:
        """Until it is mined or failed, through outages."""
        async with asyncio.timeout(300):
            while await self.count("aggregations", "state IN ('proved', 'submitted')"):
                await self.rows("UPDATE aggregations SET next_try_at = now() RETURNING id")
                await self.publish(system)

    async def follow(self) -> None:
        await Follower(self.context).step()

    async def clean(self) -> None:
        await Cleaner(self.context).step()

    async def bring_on_chain(self, system: AggregationSystem = SP1) -> None:
        """From the queue to mined."""
        await self.plan()
        await self.prove_chunks()
        await self.plan()
        await self.prove_final(system)
        await self.publish_until_settled(system)

    async def _until_none(self, table: str, where: str, step: Callable[[], Any]) -> None:
        async with asyncio.timeout(60):
            while await self.count(table, where):
                if not await step():
                    await asyncio.sleep(0.02)

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        async with self.db.transaction() as conn:
            return await (await conn.execute(query, values)).fetchall()

    async def count(self, table: str, where: str = "TRUE") -> int:
        return int((await self.rows(f"SELECT count(*) AS n FROM {table} WHERE {where}"))[0]["n"])

    async def states(self, table: str = "proofs") -> list[str]:
        """States in the order of arrival."""
        order = "number" if table == "proofs" else "id"
        return [row["state"] for row in await self.rows(f"SELECT state FROM {table} ORDER BY {order}")]

    async def add(
        self, number: int = 1, content: bytes = b"good", system: AggregationSystem = SP1
    ) -> list[UUID]:
        """Pending proofs, as the intake from batches makes them."""
        return [await self._add_one(content, system) for _ in range(number)]

    async def _add_one(self, content: bytes, system: AggregationSystem) -> UUID:
        proof_id, program_id = uuid4(), os.urandom(32)
        public_inputs = b"input %d" % next(_numbers)
        proof_commitment = commitment(public_inputs, program_id)
        proof = content + public_inputs
        await self.context.store.put(proof_id.hex, proof)
        async with self.db.transaction() as conn:
            await conn.execute(
                "INSERT INTO proofs (id, source, batch_root, batch_index, system, program_id, commitment, leaf,"
                " proof_hash, key_hash, public_input_hash, proof_object, program_key, public_inputs, size_bytes,"
                " state) VALUES (%s, 'batch', %s, 0, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'pending')",
                (
                    proof_id,
                    os.urandom(32),
                    int(system),
                    program_id,
                    proof_commitment,
                    leaf_of(system, proof_commitment),
                    keccak256(proof),
                    *([b"\1" * 32] * 2),
                    proof_id.hex,
                    b"key",
                    public_inputs,
                    len(proof),
                ),
            )
        return proof_id

    async def close(self) -> None:
        for client in self.clients:
            await client.close()


def make_parts(
    rig: AggregationRig, db: Database, folder: Path, account: LocalAccount | None = None, **options: Any
) -> Parts:
    """An aggregator with its own engine and account."""
    client = ChainClient([rig.node.url], rig.deployment.chain_id, timeout_s=180)
    caps = options.pop("caps", Caps.from_gwei(500, 100))
    account = account or rig.node.new_account()
    sender = TxSender(
        db, client, account, poll_s=0.02, bump_after_s=options.pop("bump_after_s", 30), caps=caps
    )
    engine_dir = folder / f"results-{next(_numbers)}"
    engine = ScriptedEngine(engine_dir, PROGRAMS)
    context = Context(
        db=db,
        store=ObjectStore.from_url(str(folder / "store"), "http://127.0.0.1"),
        client=client,
        service=AggregationService(client, rig.service),
        sender=sender,
        lines={system: Line(system, engine, PROGRAMS[system]) for system in (SP1, RISC0)},
        metrics=ProofAggregatorMetrics(),
        patience=replace(PATIENCE, **options.pop("patience", {})),
        costs=options.pop("costs", POLICY.costs),
        input_dir=folder / "inputs",
        engine_dir=engine_dir,
        max_proof_bytes=1 << 20,
        keep_proofs=False,
        final_blocks=options.pop("final_blocks", 2),
        deployed_block=rig.deployment.deployed_block,
    )
    return Parts(context, engine, replace(POLICY, **options.pop("policy", {})), [client])


def account_nonce(parts: Parts, rig: AggregationRig) -> int:
    return rig.node.nonce("0x" + parts.context.sender.address.hex())


async def prove(parts: Parts, number: int = 3) -> None:
    """Up to proved."""
    await parts.add(number)
    await parts.plan()
    await parts.prove_chunks()
    await parts.plan()
    await parts.prove_final()
