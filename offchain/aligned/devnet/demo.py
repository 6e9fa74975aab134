"""The demo: real proofs, sent as a user would, through every part of both products; and what must be refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aligned.core.errors import FEE_TOO_LOW, INSUFFICIENT_BALANCE, AlignedError
from aligned.devnet.aggregation_demo import PROOFS, AggregationDemo, AggregationSession
from aligned.devnet.cases import BadProof, GoodProof, Refusal, bad_proofs, good_proofs
from aligned.devnet.cluster import Cluster, ClusterConfig
from aligned.devnet.consumer import use_in_contract
from aligned.devnet.failures import Failures, all_of
from aligned.devnet.gas import GasFigures, measure_gas
from aligned.devnet.keys import FIRST_USER
from aligned.devnet.roles import AggregationConfig
from aligned.devnet.watch import role_ended, while_watched
from aligned.sdk.accounts import devnet_account
from aligned.sdk.client import AlignedClient
from aligned.sdk.models import Inclusion, SubmitResult

OPERATORS: Final = 4
SWITCHED_OFF: Final = OPERATORS - 1
_DEPOSIT_WEI = 10**18
_WAIT_S = 150.0
_POOR_USER = FIRST_USER + 2
# The count triggers; age only if a proof was lost on the way.
_MAX_AGE_S = 120.0


@dataclass(slots=True)
class ProofRow:
    """How far a good proof has come.

    Attributes:
        is_verified: what the contract said; None: it was not asked.
    """

    proof: GoodProof
    state: str = "waiting"
    inclusion: Inclusion | None = None
    is_verified: bool | None = None
    seconds: float | None = None


@dataclass(slots=True)
class Demo:
    """Everything that the demo found out; the view reads it while it runs.

    Attributes:
        consumer_accepts, consumer_refuses: what the example contract did; None: it was not asked.
        failures: every error of the run.
    """

    rows: list[ProofRow] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    refusals_planned: int = 0
    step: str = ""
    consumer_accepts: bool | None = None
    consumer_refuses: bool | None = None
    gas: GasFigures | None = None
    failures: Failures = field(default_factory=Failures)
    aggregation: AggregationDemo = field(init=False)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Both halves keep their errors in one list."""
        self.aggregation = AggregationDemo(failures=self.failures)

    def wrong_outcomes(self) -> list[Refusal]:
        """What ended in another way than it must: taken, or refused for another reason."""
        return [each for each in (*self.refusals, *self.aggregation.refusals) if not each.is_right]

    @property
    def has_held(self) -> bool:
        """Whether everything happened as it must."""
        return self.fast_mode_has_held and self.aggregation.has_held and not self.failures.found

    @property
    def fast_mode_has_held(self) -> bool:
        """Whether everything of the fast mode happened as it must."""
        return (
            bool(self.rows)
            and all(row.is_verified is True for row in self.rows)
            and len(self.refusals) == self.refusals_planned
            and all(refusal.is_right for refusal in self.refusals)
            and self.consumer_accepts is True
            and self.consumer_refuses is True
            and self.gas is not None
            and self.gas.non_signers >= 1
        )


async def run_demo(home: Path, demo: Demo, on_change: Callable[[], None], level: str = "native") -> None:
    """Runs the demo in a devnet of its own below `home`, filling `demo`.

    Args:
        level: of the aggregation: "native", or "execute" where the provers are built.

    Raises:
        AlignedError: the devnet did not start, or nothing could be submitted; it is among the failures too.
    """
    started = time.monotonic()

    def say(step: str) -> None:
        demo.step = step or demo.step
        on_change()

    aggregation = AggregationConfig(level, min_proofs=PROOFS, max_age_s=_MAX_AGE_S)
    off = frozenset({SWITCHED_OFF})
    config = ClusterConfig(home, operators=OPERATORS, switched_off=off, aggregation=aggregation)
    try:
        async with Cluster(config, say) as cluster:
            demo.failures.log_file = cluster.layout.log("demo")
            watch = cluster.watch(lambda line: demo.failures.add("watching", role_ended(line)))
            await while_watched(watch, _both_halves(cluster, demo, say))
    except BaseException as error:
        demo.failures.add(demo.step, error)
        raise
    finally:
        demo.seconds = time.monotonic() - started
    say("done")


async def _both_halves(cluster: Cluster, demo: Demo, say: Callable[[str], None]) -> None:
    await _Session(cluster, demo, say).run()
    await AggregationSession(cluster, demo.aggregation, say).run()


class _Session:
    def __init__(self, cluster: Cluster, demo: Demo, say: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._demo = demo
        self._say = say

    async def run(self) -> None:
        user, vandal = devnet_account(FIRST_USER), devnet_account(FIRST_USER + 1)
        generator = bytes.fromhex(user.address[2:])
        self._demo.rows = [ProofRow(proof) for proof in good_proofs(generator)]
        bad = bad_proofs(generator)
        self._demo.refusals_planned = len(bad) + 2
        self._say("depositing")
        network = self._cluster.network
        async with AlignedClient(network, user) as client, AlignedClient(network, vandal) as other:
            await client.deposit(_DEPOSIT_WEI)
            await other.deposit(_DEPOSIT_WEI)
            self._say("sending proofs, good and bad ones side by side")
            await all_of(self._send_good(client), self._send_bad(other, bad))
            await self._send_unpaid(other)
            self._say("using a verified proof in a contract")
            failures = self._demo.failures
            await failures.attempt("using a verified proof in a contract", self._use())
        measured = measure_gas(self._cluster.chain, self._cluster.deployment)
        self._demo.gas = await failures.attempt("measuring gas", measured)

    async def _send_good(self, client: AlignedClient) -> None:
        """The first proof alone, which nobody makes wait for others; the rest at once."""
        first, *rest = self._demo.rows
        await self._send_burst(client, [first])
        await self._send_burst(client, rest)

    async def _send_burst(self, client: AlignedClient, rows: list[ProofRow]) -> None:
        started = time.monotonic()
        results = await client.submit([row.proof.data for row in rows])
        await all_of(
            *(self._follow(client, row, result, started) for row, result in zip(rows, results, strict=True))
        )

    async def _follow(
        self, client: AlignedClient, row: ProofRow, result: SubmitResult, started: float
    ) -> None:
        try:
            receipt = result.unwrap()
            self._update(row, "queued")
            row.inclusion = await client.wait(receipt, until="posted", timeout_s=_WAIT_S)
            self._update(row, "posted")
            row.inclusion = await client.wait(receipt, until="verified", timeout_s=_WAIT_S)
            row.is_verified = await client.verify_onchain(row.inclusion.verification_data())
            row.seconds = time.monotonic() - started
            self._update(row, "verified" if row.is_verified else "not verified")
        except AlignedError as error:
            self._demo.failures.add(row.proof.file, error)
            self._update(row, error.code)

    def _update(self, row: ProofRow, state: str) -> None:
        row.state = state
        self._say("")

    async def _send_bad(self, client: AlignedClient, bad: list[BadProof]) -> None:
        for case in bad:
            result = (await client.submit([case.data]))[0]
            self._refused(case.file, result, case.codes)

    async def _send_unpaid(self, rich: AlignedClient) -> None:
        """Good proofs under terms that no batcher may take."""
        poor = devnet_account(_POOR_USER)
        async with AlignedClient(self._cluster.network, poor) as client:
            await self._expect(client, "user without a deposit", INSUFFICIENT_BALANCE, None)
        await self._expect(rich, "max_fee of 1 wei", FEE_TOO_LOW, 1)

    async def _expect(self, client: AlignedClient, what: str, code: str, max_fee_wei: int | None) -> None:
        data = self._demo.rows[0].proof.data
        result = (await client.submit([data], max_fee_wei=max_fee_wei))[0]
        self._refused(what, result, frozenset({code}))

    def _refused(self, file: str, result: SubmitResult, codes: frozenset[str]) -> None:
        code, reason = ("accepted", "") if result.error is None else (result.error.code, result.error.message)
        self._demo.refusals.append(Refusal(file, code, code in codes, reason=reason))
        self._say("")

    async def _use(self) -> None:
        """A contract believes the proof of its own program, and not that of another."""
        by_file = {row.proof.file: row for row in self._demo.rows if row.is_verified}
        own, other = by_file.get("sp1/fib_a.compressed.proof"), by_file.get("sp1/agg.compressed.proof")
        if own is None or other is None:
            return
        program = own.proof.data.verification_key or b""
        shown = [
            (row.proof.data, row.inclusion.verification_data())
            for row in (own, other)
            if row.inclusion is not None
        ]
        manager = self._cluster.deployment.service_manager
        outcome = await use_in_contract(self._cluster.chain, manager, program, shown)
        self._demo.consumer_accepts, self._demo.consumer_refuses = outcome[0], not outcome[1]
