"""The demo's second half: real proofs through aggregation mode, checked on chain, and what must be refused."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final, TypeVar

from aligned.chain.contracts import AggregationService
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import DependencyError, ProtocolError
from aligned.devnet.aggregation_cases import NamedProof, aggregation_proofs
from aligned.devnet.aggregation_onchain import blob_is_bound, chunk_count, foreign_leaves
from aligned.devnet.aggregation_refusals import Refusals
from aligned.devnet.aggregation_users import Users
from aligned.devnet.cases import Refusal
from aligned.devnet.cluster import Cluster
from aligned.devnet.consumer import use_aggregated
from aligned.devnet.failures import Failures, all_of
from aligned.devnet.roles import AGGREGATION_DATABASE
from aligned.sdk.aggregation import AggregationClient, AggregationUntil
from aligned.sdk.aggregation_models import placement
from aligned.sdk.leaves import Leaves, RootOnChain
from aligned.wire.gateway import UNKNOWN_PROOF, Receipt

T = TypeVar("T")

PROOFS: Final = 4
_WAIT_S = 180.0
_BEACON_TRIES = 5
_UNTIL: Final[tuple[AggregationUntil, ...]] = ("mined", "final")


@dataclass(slots=True)
class AggregatedProof:
    """How far one proof has come.

    Attributes:
        is_included: what the contract said; None: it was not asked.
    """

    proof: NamedProof
    owner: str
    state: str = "waiting"
    receipt: Receipt | None = None
    is_included: bool | None = None


@dataclass(slots=True)
class SystemRun:
    """One system's aggregation.

    Attributes:
        blob_bound: see `blob_is_bound`; None, here and below: it was not asked.
        foreign: questions about proofs that are not under the root, and whether the contract refused each.
        consumer_accepts, consumer_refuses: see `use_aggregated`.
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
    blob_bound: bool | None = None
    foreign: dict[str, bool] = field(default_factory=dict)
    leaves_source: str = ""
    consumer_accepts: bool | None = None
    consumer_refuses: bool | None = None
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
            and all(proof.is_included is True for proof in self.proofs)
            and self.blob_bound is True
            and self.non_member_refused
            and self.consumer_accepts is True
            and self.consumer_refuses is True
        )


@dataclass(slots=True)
class AggregationDemo:
    """Everything that the second half found out."""

    runs: list[SystemRun] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    is_complete: bool = False
    failures: Failures = field(default_factory=Failures)

    @property
    def has_held(self) -> bool:
        """Whether everything happened as it must."""
        return (
            {run.system for run in self.runs} == set(AggregationSystem)
            and all(run.has_held for run in self.runs)
            and self.is_complete
            and not self.failures.found
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
            await all_of(
                *(self._follow(run, users.payer, refusals) for run in demo.runs),
                self._attempt("at the gateway", refusals.at_the_gateway()),
            )
            self._say("asking programs and contracts what they must refuse")
            await self._attempt("in the programs", refusals.in_the_programs())
            await self._attempt("on chain", refusals.on_chain())
            self._say("taking a payment off the chain")
            await self._attempt("payment that left the chain", refusals.orphaned_payment())
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
        await all_of(
            *(self._attempt(f"waiting for {row.proof.file}", self._wait(row, client)) for row in run.proofs)
        )
        run.seconds = time.monotonic() + (run.seconds or 0)
        name = run.system.wire_name
        found = await self._attempt(f"{name}: looking at the aggregation", self._check(run, client))
        if found is not None:
            again = refusals.recorded_again(found)
            await self._attempt(f"{name}: the same root again", again)
        self._say("")

    async def _attempt(self, where: str, step: Awaitable[T]) -> T | None:
        """Goes on after an error, which is kept: one question that fails must not hide the answers to others."""
        return await self._demo.failures.attempt(where, step)

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
        if first.receipt is None:
            raise ProtocolError(UNKNOWN_PROOF, f"{first.proof.file} has no receipt")
        place, _index, _path = placement(first.receipt)
        run.level, run.not_proved, run.root = place.level, place.not_proved, place.root
        leaves = await self._leaves(client, place.root)
        run.leaf_count, run.leaves_source = len(leaves.commitments), leaves.source
        run.blobs, run.tx_hash = len(leaves.found.versioned_hashes), leaves.found.tx_hash
        receipt = await self._cluster.chain.get_receipt(leaves.found.tx_hash)
        run.gas = 0 if receipt is None else receipt.gas_used
        run.chunks = await chunk_count(self._cluster.database_url(AGGREGATION_DATABASE), place.root)
        name, chain, inputs = run.system.wire_name, self._cluster.chain, first.proof.files.public_inputs
        bound = blob_is_bound(chain, self._service, leaves)
        run.blob_bound = await self._attempt(f"{name}: blobs", bound)
        foreign = foreign_leaves(self._service, first.receipt, inputs)
        run.foreign = await self._attempt(f"{name}: foreign leaves", foreign) or {}
        used = use_aggregated(chain, self._service, first.receipt, inputs)
        outcome = await self._attempt(f"{name}: example contract", used)
        run.consumer_accepts, run.consumer_refuses = outcome or (None, None)
        return leaves.found

    async def _leaves(self, client: AggregationClient, root: bytes) -> Leaves:
        """From the beacon node; on a busy machine it may need longer than it is given, and is asked again."""
        for _ in range(_BEACON_TRIES):
            leaves = await client.leaves(root)
            if leaves.source.startswith("beacon"):
                return leaves
        for each in leaves.refused:
            self._demo.failures.add(f"leaves from {each.source}", DependencyError(each.code, each.message))
        return leaves

    def _refused(self, refusal: Refusal) -> None:
        self._demo.refusals.append(refusal)
        self._say("")
