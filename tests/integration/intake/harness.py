"""The intake over a real chain, database and store, with a verifier that the test chooses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aligned_native import merkle_root
from prometheus_client import CollectorRegistry

from aligned.chain.client import ChainClient
from aligned.chain.contracts import ServiceManager
from aligned.core.commitment import commit
from aligned.core.errors import INVALID_PROOF
from aligned.core.types import ProvingSystem, VerificationData
from aligned.loops import run_all
from aligned.proof_aggregator.intake import Intake, intake_policy
from aligned.proof_aggregator.intake_follower import IntakeFollower
from aligned.proof_aggregator.intake_worker import IntakeMetrics, IntakeWorker
from aligned.settings import Settings
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database
from aligned.verifiers.base import Verdict, refused, valid
from aligned.wire.batch_file import encode_batch
from tests.integration.files import FileServer
from tests.integration.rig import Rig, RigTask
from tests.integration.votes import eventually

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
QUICK = {"allow_private_hosts": True, "retry_s": 0.05, "max_retry_s": 0.1, "lease_s": 2.0, "max_attempts": 3}


def real_proofs() -> list[VerificationData]:
    """An SP1 compressed and two RISC0 composite proofs, which are aggregated; a Groth16, an outdated, a Circom one."""
    sp1, circom = VECTORS / "sp1", VECTORS / "circom"
    values = json.loads((sp1 / "meta.json").read_text())["proofs"]["fib_a.compressed.proof"]["public_values"]
    names = ("preimage_a.proof.json", "preimage_a.public.json", "verification_key.json")
    proof, public, key = ((circom / name).read_bytes() for name in names)
    return [
        VerificationData(
            ProvingSystem.SP1,
            (sp1 / "fib_a.compressed.proof").read_bytes(),
            bytes.fromhex(values[2:]),
            (sp1 / "fib.vk").read_bytes(),
            None,
            bytes(20),
        ),
        *(
            _risc0(name)
            for name in ("fib3_20_composite", "fib3_30_composite", "groth16_v3", "fib5_20_succinct")
        ),
        VerificationData(ProvingSystem.CIRCOM_GROTH16_BN256, proof, public, key, None, bytes(20)),
    ]


def _risc0(name: str) -> VerificationData:
    proof, journal, image = (
        (VECTORS / "risc0" / f"{name}.{part}").read_bytes() for part in ("proof", "pub", "id")
    )
    return VerificationData(ProvingSystem.RISC0, proof, journal, None, image, bytes(20))


def small_proofs(*contents: bytes) -> list[VerificationData]:
    """RISC0 proofs with these bytes behind the tag of a composite receipt; a `StubVerifier` judges them."""
    return [
        VerificationData(ProvingSystem.RISC0, bytes(4) + content, b"journal", None, b"\x11" * 32, bytes(20))
        for content in contents
    ]


def with_proof(data: VerificationData, **changes: Any) -> VerificationData:
    """The same with other fields."""
    return replace(data, **changes)


def root_of(batch: Sequence[VerificationData]) -> bytes:
    """The batch's root."""
    return merkle_root(b"".join(commit(proof).leaf for proof in batch))


@dataclass
class StubVerifier:
    """Accepts every proof but those that contain "bad"; `answers` come first."""

    seen: list[bytes] = field(default_factory=list)
    answer: Callable[[bytes], Verdict | None] = lambda _proof: None

    async def verify_all(self, proofs: Sequence[VerificationData]) -> list[Verdict]:
        self.seen += [data.proof for data in proofs]
        return [self.answer(data.proof) or self._plain(data.proof) for data in proofs]

    def _plain(self, proof: bytes) -> Verdict:
        return refused(INVALID_PROOF, "bad") if b"bad" in proof else valid()


@dataclass
class Bed:
    """Everything but the intake itself."""

    rig: Rig
    files: FileServer
    db: Database
    store: ObjectStore
    settings: Settings

    def post(self, batch: Sequence[VerificationData], url: str | None = None) -> RigTask:
        """A batch on chain whose file is served, unless there is another `url`."""
        root = root_of(batch)
        return self.rig.create_task(root, url or self.files.put(f"/{root.hex()}", encode_batch(batch)))

    async def query(self, sql: str, *args: object) -> list[dict[str, Any]]:
        """Rows of a statement."""
        async with self.db.transaction() as conn:
            return list(await (await conn.execute(sql, args)).fetchall())

    async def batch(self, task: RigTask) -> dict[str, Any]:
        """Row of a batch; empty when there is none."""
        rows = await self.query(
            "SELECT * FROM intake_batches WHERE batch_root = %s AND sender = %s", task.root, task.sender
        )
        return rows[0] if rows else {}

    async def reaches(self, task: RigTask, state: str) -> dict[str, Any]:
        """Waits until the batch is in `state`."""

        async def there() -> bool:
            return (await self.batch(task)).get("state") == state

        await eventually(there, lambda: f"batch in state {state}")
        return await self.batch(task)

    async def proofs(self, task: RigTask) -> list[dict[str, Any]]:
        """Rows of its proofs by index."""
        return await self.query("SELECT * FROM proofs WHERE batch_root = %s ORDER BY batch_index", task.root)

    def changed(self, **own: Any) -> Bed:
        """The same with other settings of the intake."""
        intake = self.settings.intake.model_copy(update=own)
        return replace(self, settings=self.settings.model_copy(update={"intake": intake}))


@asynccontextmanager
async def running_intake(bed: Bed, verifier: Any) -> AsyncIterator[asyncio.Task[None]]:
    """The intake until the block ends."""
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(ChainClient([bed.rig.node.url], bed.rig.deployment.chain_id))
        manager = ServiceManager(client, bed.rig.deployment.service_manager)
        follower = IntakeFollower(bed.db, client, manager, bed.rig.deployment.deployed_block, 0)
        policy, metrics = intake_policy(bed.settings), IntakeMetrics(CollectorRegistry())
        worker = IntakeWorker(bed.db, bed.store, verifier, policy, metrics)
        running = asyncio.create_task(run_all(stop, *Intake(follower, worker).loops(stop, 0.05)))
        try:
            yield running
        finally:
            stop.set()
            await running
