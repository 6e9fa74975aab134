"""What aggregation mode must refuse: at the gateway, in the contracts, and when a payment leaves the chain."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

import httpx

from aligned.chain.contracts import AggregationService
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import NONCE_USED, UNSUPPORTED_SYSTEM, AlignedError
from aligned.devnet.aggregation_cases import aggregation_proofs, bad_submissions
from aligned.devnet.aggregation_onchain import sent_transaction
from aligned.devnet.aggregation_users import Users
from aligned.devnet.cases import Refusal
from aligned.devnet.cluster import Cluster
from aligned.devnet.forgeries import ACCEPTED, forgeries, outcome_of, right_call
from aligned.devnet.guest_cases import try_guests
from aligned.devnet.keys import FIRST_USER
from aligned.devnet.verifier_cases import dev_verifier_elsewhere, try_verifiers
from aligned.sdk.accounts import devnet_account
from aligned.sdk.aggregation_submission import ProofFiles, SignedSubmission
from aligned.sdk.gateway_http import GatewayHttp
from aligned.sdk.leaves import RootOnChain
from aligned.sdk.wallet import Wallet
from aligned.wire.aggregator import BODY_TOO_LARGE
from aligned.wire.gateway import (
    BAD_SIGNATURE,
    EXPIRED_DEADLINE,
    NONCE_GAP,
    PAYMENT_REQUIRED,
    QUOTA_EXHAUSTED,
    UNKNOWN_PROOF,
    UNSUPPORTED_MEDIA_TYPE,
    Receipt,
)

SAME_RECEIPT: Final = "same_receipt"
_LIFETIME_S = 600
_OTHER_CHAIN = 1
_TOO_LARGE_BYTES = 5 << 20
Report = Callable[[Refusal], None]


class Refusals:
    """Tries everything and reports what became of it.

    Args:
        report: called once for each case.
    """

    def __init__(self, cluster: Cluster, users: Users, report: Report) -> None:
        self._cluster = cluster
        self._users = users
        self._report = report
        self._gateway = GatewayHttp(cluster.aggregation.gateway_url)
        self._service = AggregationService(cluster.chain, cluster.deployment.aggregation_service)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._gateway.close()

    async def race_for_a_nonce(self, files: Sequence[ProofFiles]) -> list[Receipt]:
        """Sends the first two at once with one nonce: one wins; the rest, and the loser, get nonces of their own."""
        user = self._users.granted
        nonce = await user.nonce()
        racing = [self._signed("granted", each, nonce) for each in files[:2]]
        outcomes = await asyncio.gather(*map(self._gateway.submit, racing), return_exceptions=True)
        for each in outcomes:
            if isinstance(each, BaseException) and not isinstance(each, AlignedError):
                raise each
        lost = [each for each in outcomes if isinstance(each, AlignedError)]
        code = " and ".join(each.code for each in lost) or ACCEPTED
        reason = "; ".join(each.message for each in lost)
        what = f"{files[0].system.wire_name}: two proofs at once with one nonce"
        self._report(Refusal(what, code, code == NONCE_USED, reason=reason))
        return [
            outcome if isinstance(outcome, Receipt) else await user.submit(each)
            for each, outcome in zip(files, [*outcomes, *[None] * len(files[2:])], strict=True)
        ]

    async def at_the_gateway(self) -> None:
        """Damaged proofs, and good ones under terms that the gateway may not take."""
        for system in AggregationSystem:
            for case in bad_submissions(system):
                await self._expect(case.file, case.codes, self._users.vandal.submit(case.files))
        for name, codes, attempt in self._bad_terms(await self._users.payer.nonce()):
            await self._expect(name, frozenset({codes}), attempt)
        await self._send_again()
        await self._bad_requests()

    def _bad_terms(self, nonce: int) -> Iterator[tuple[str, str, Awaitable[object]]]:
        unused = aggregation_proofs(AggregationSystem.SP1, 3)[2].files
        sent = aggregation_proofs(AggregationSystem.SP1, 1)[0].files
        submit, sign = self._gateway.submit, self._signed
        moved = replace(sign("payer", sent, nonce), files=unused)
        yield "signature of another proof", BAD_SIGNATURE, submit(moved)
        yield (
            "signature for another chain",
            BAD_SIGNATURE,
            submit(sign("payer", unused, nonce, chain_id=_OTHER_CHAIN)),
        )
        yield "deadline that is over", EXPIRED_DEADLINE, submit(sign("payer", unused, nonce, lifetime_s=-60))
        yield "nonce of an earlier proof", NONCE_USED, submit(sign("payer", unused, 0))
        yield "nonce that leaves a gap", NONCE_GAP, submit(sign("payer", unused, nonce + 5))
        yield "user who never paid", PAYMENT_REQUIRED, self._users.outsider.submit(unused)
        another = aggregation_proofs(AggregationSystem.SP1, 2)[1].files
        yield "quota that is used up", QUOTA_EXHAUSTED, self._users.granted.submit(another)

    async def _send_again(self) -> None:
        """The same proof of the same user is no second proof: same receipt, nothing charged."""
        files = aggregation_proofs(AggregationSystem.SP1, 1)[0].files
        payer = self._users.payer
        before = (await payer.quota()).remaining, (await payer.submit(files)).id
        after = (await payer.quota()).remaining, (await payer.submit(files)).id
        outcome = SAME_RECEIPT if before == after else "charged_again"
        self._judge("the same proof again", outcome, {SAME_RECEIPT}, is_control=True)

    async def _bad_requests(self) -> None:
        """Requests that no client of ours makes."""
        form = self._signed("payer", aggregation_proofs(AggregationSystem.SP1, 3)[2].files, 0).form()
        circom = form | {"data": form["data"] | {"system": "circom"}}
        large = form | {"files": form["files"] | {"proof": ("proof", bytes(_TOO_LARGE_BYTES))}}
        cases: list[tuple[str, str, dict[str, Any]]] = [
            ("a system that is not aggregated", UNSUPPORTED_SYSTEM, circom),
            ("a proof of 5 MiB", BODY_TOO_LARGE, large),
            ("JSON instead of a form", UNSUPPORTED_MEDIA_TYPE, {"json": {}}),
        ]
        url = self._cluster.aggregation.gateway_url
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
            for name, code, request in cases:
                answer = await http.post("/v1/proofs", **request)
                self._judge(name, str(answer.json().get("code")), {code})
        unknown = self._gateway.receipt(str(uuid.uuid4()))
        await self._expect("an id that nobody was given", frozenset({UNKNOWN_PROOF}), unknown)

    async def recorded_again(self, found: RootOnChain) -> None:
        """The very transaction that recorded a root, once more."""
        chain, service = self._cluster.chain, self._service
        sent = await sent_transaction(chain, service, found)
        outcome = await outcome_of(chain, service, sent.data, sent.blob_hashes, self._users.address("payer"))
        self._judge(f"{found.system.wire_name}: the same root again", outcome, {"RootAlreadyAggregated"})

    async def on_chain(self) -> None:
        """Calls of the contracts; nothing is sent but two verifiers."""
        sender = Wallet(self._cluster.chain, devnet_account(FIRST_USER))
        programs = await self._cluster.programs()
        for system, program in programs.items():
            right = right_call(system, program)
            name = system.wire_name
            control = await right.outcome(self._cluster.chain, self._service, sender.address)
            self._judge(f"{name}: the call with nothing wrong", control, {ACCEPTED}, is_control=True)
            for what, call, expected in forgeries(right):
                outcome = await call.outcome(self._cluster.chain, self._service, sender.address)
                self._judge(f"{name}: {what}", outcome, {expected})
        bound_to = programs[AggregationSystem.SP1]
        for what, outcome, expected in await try_verifiers(self._cluster.chain, sender, bound_to):
            self._judge(what, outcome, {expected}, is_control=expected == ACCEPTED)
        elsewhere = await dev_verifier_elsewhere(self._cluster.layout.log("anvil-1"))
        self._judge("DevVerifier on another chain id", elsewhere, {"NotDevChain"})

    async def in_the_programs(self) -> None:
        """Inputs that the aggregating programs do not take."""
        for what, outcome, expected in await asyncio.to_thread(lambda: list(try_guests())):
            self._judge(what, outcome, {expected}, is_control=expected == ACCEPTED)

    async def orphaned_payment(self) -> None:
        """A payment whose block leaves the chain: what it bought goes with it."""
        users, name = self._users, "late_payer"
        paid = await users.late_payer.deposit()
        await users.until_quota(name, (await users.late_payer.terms()).proofs)
        depth = await self._cluster.chain.block_number() - paid.block_number + 1
        await self._cluster.cheats.reorganise(depth)
        await users.until_quota(name, 0)
        unused = aggregation_proofs(AggregationSystem.RISC0, 1)[0].files
        attempt = users.late_payer.submit(unused)
        await self._expect("payment that left the chain", frozenset({PAYMENT_REQUIRED}), attempt)

    def _signed(
        self,
        user: str,
        files: ProofFiles,
        nonce: int,
        *,
        lifetime_s: int = _LIFETIME_S,
        chain_id: int | None = None,
    ) -> SignedSubmission:
        network = self._cluster.aggregation
        return SignedSubmission.sign(
            files,
            nonce,
            int(time.time()) + lifetime_s,
            self._users.accounts[user],
            chain_id=chain_id or network.chain_id,
            payment_service=network.payment_service_bytes,
        )

    async def _expect(self, what: str, codes: frozenset[str], attempt: Awaitable[object]) -> None:
        code, reason = ACCEPTED, ""
        try:
            await attempt
        except AlignedError as error:
            code, reason = error.code, error.message
        self._report(Refusal(what, code, code in codes, reason=reason))

    def _judge(self, what: str, code: str, right: Collection[str], *, is_control: bool = False) -> None:
        self._report(Refusal(what, code, code in right, is_control))
