"""The demo's second half: real proofs through aggregation mode, checked on chain, and what must be refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

from aligned.chain.contracts import AggregationService
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import AlignedError
from aligned.devnet.aggregation_cases import NamedProof, aggregation_proofs
from aligned.devnet.aggregation_onchain import blob_is_bound, foreign_leaves
from aligned.devnet.aggregation_refusals import Refusals
from aligned.devnet.aggregation_users import Users
from aligned.devnet.cases import Refusal
from aligned.devnet.cluster import Cluster
from aligned.devnet.consumer import use_aggregated
from aligned.sdk.aggregation import AggregationClient, AggregationUntil
from aligned.sdk.leaves import RootOnChain
from aligned.wire.gateway import Receipt

PROOFS: Final = 4
_WAIT_S = 180.0
_UNTIL: Final[tuple[AggregationUntil, ...]] = ("mined", "final")


@dataclass(slots=True)
class AggregatedProof:
    """How far one proof has come."""

    proof: NamedProof
    owner: str
    state: str = "waiting"
    receipt: Receipt | None = None
    is_included: bool = False


@dataclass(slots=True)
class SystemRun:
    """One system's aggregation.

    Attributes:
        blob_bound: see `blob_is_bound`.
        foreign: questions about proofs that are not under the root, and whether the contract refused each.
        leaves_source: who gave the leaves that were checked against root and blobs.
    """

    system: AggregationSystem
    proofs: list[AggregatedProof]
    level: str = ""
    not_proved: str = ""
    chunks: int = 0
    root: bytes | None = None
    leaf_count: int = 0
    blobs: int = 0
    tx_hash: bytes | None = None
    gas: int = 0
    blob_bound: bool = False
    foreign: dict[str, bool] = field(default_factory=dict)
    leaves_source: str = ""
    consumer_accepts: bool = False
    consumer_refuses: bool = False
    seconds: float | None = None

    @property
    def non_member_refused(self) -> bool:
        """Whether the contract refused every question about a proof that is not under the root."""
        return bool(self.foreign) and all(self.foreign.values())

    @property
    def has_held(self) -> bool:
        """Whether everything happened as it must."""
        return (
            len(self.proofs) >= PROOFS
            and self.chunks >= 2
            and self.leaf_count == len(self.proofs)
            and all(proof.is_included for proof in self.proofs)
            and self.blob_bound
            and self.non_member_refused
            and self.consumer_accepts
            and self.consumer_refuses
        )


@dataclass(slots=True)
class AggregationDemo:
    """Everything that the second half found out."""

    runs: list[SystemRun] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    is_complete: bool = False

    @property
    def has_held(self) -> bool:
        """Whether everything happened as it must."""
        return (
            {run.system for run in self.runs} == set(AggregationSystem)
            and all(run.has_held for run in self.runs)
            and self.is_complete
            and all(refusal.is_right for refusal in self.refusals)
        )


class AggregationSession:
    """Plays two users, one who pays and one who was granted a quota, and everybody who should be refused.

    Args:
        say: called with a line for each step, and with "" when something has changed.
    """

    def __init__(self, cluster: Cluster, demo: AggregationDemo, say: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._demo = demo
        self._say = say
        self._service = AggregationService(cluster.chain, cluster.deployment.aggregation_service)

    async def run(self) -> None:
        """Everything, in order; fills the demo."""
        demo = self._demo
        demo.runs = [self._planned(system) for system in AggregationSystem]
        async with AsyncExitStack() as stack:
            users = await stack.enter_async_context(Users(self._cluster))
            refusals = await stack.enter_async_context(Refusals(self._cluster, users, self._refused))
            self._say("paying for aggregation: a transfer, a deposit, a grant")
            await users.get_quota(granted=PROOFS // 2 * len(demo.runs))
            self._say("sending proofs to the gateway")
            for run in demo.runs:
                await self._send(run, users, refusals)
            await asyncio.gather(
                *(self._follow(run, users.payer, refusals) for run in demo.runs), refusals.at_the_gateway()
            )
            self._say("asking programs and contracts what they must refuse")
            await refusals.in_the_programs()
            await refusals.on_chain()
            self._say("taking a payment off the chain")
            await refusals.orphaned_payment()
        demo.is_complete = True

    def _planned(self, system: AggregationSystem) -> SystemRun:
        half = PROOFS // 2
        owners = ["payer"] * half + ["granted"] * (PROOFS - half)
        proofs = aggregation_proofs(system, PROOFS)
        return SystemRun(
            system, [AggregatedProof(proof, owner) for proof, owner in zip(proofs, owners, strict=True)]
        )

    async def _send(self, run: SystemRun, users: Users, refusals: Refusals) -> None:
        run.seconds = -time.monotonic()
        for row in run.proofs:
            if row.owner == "payer":
                self._update(row, await users.payer.submit(row.proof.files))
        rows = [row for row in run.proofs if row.owner == "granted"]
        receipts = await refusals.race_for_a_nonce([row.proof.files for row in rows])
        for row, receipt in zip(rows, receipts, strict=True):
            self._update(row, receipt)

    async def _follow(self, run: SystemRun, client: AggregationClient, refusals: Refusals) -> None:
        self._say(
            "waiting until the aggregations are final; meanwhile the gateway is sent what it must refuse"
        )
        try:
            await asyncio.gather(*(self._wait(row, client) for row in run.proofs))
            run.seconds = time.monotonic() + (run.seconds or 0)
            await refusals.recorded_again(await self._check(run, client))
        except AlignedError as error:
            for row in run.proofs:
                row.state = row.state if row.is_included else f"{error.code}: {error.message}"
        self._say("")

    async def _wait(self, row: AggregatedProof, client: AggregationClient) -> None:
        assert row.receipt is not None
        for until in _UNTIL:
            self._update(row, await client.wait(row.receipt, until=until, timeout_s=_WAIT_S))
        assert row.receipt is not None
        row.is_included = await client.verify_inclusion(row.receipt, row.proof.files.public_inputs)
        self._say("")

    def _update(self, row: AggregatedProof, receipt: Receipt) -> None:
        row.receipt, row.state = receipt, receipt.state
        self._say("")

    async def _check(self, run: SystemRun, client: AggregationClient) -> RootOnChain:
        first = run.proofs[0]
        assert first.receipt is not None
        place = first.receipt.aggregation
        assert place is not None
        run.level, run.not_proved, run.root = place.level, place.not_proved, place.root
        leaves = await client.leaves(place.root)
        run.leaf_count, run.leaves_source = len(leaves.commitments), leaves.source
        run.blobs, run.tx_hash = len(leaves.found.versioned_hashes), leaves.found.tx_hash
        receipt = await self._cluster.chain.get_receipt(leaves.found.tx_hash)
        run.gas = 0 if receipt is None else receipt.gas_used
        run.chunks = await self._cluster.chunk_count(place.root)
        run.blob_bound = await blob_is_bound(self._cluster.chain, self._service, leaves)
        run.foreign = await foreign_leaves(self._service, first.receipt, first.proof.files.public_inputs)
        run.consumer_accepts, run.consumer_refuses = await use_aggregated(
            self._cluster.chain, self._service, first.receipt, first.proof.files.public_inputs
        )
        return leaves.found

    def _refused(self, refusal: Refusal) -> None:
        self._demo.refusals.append(refusal)
        self._say("")
