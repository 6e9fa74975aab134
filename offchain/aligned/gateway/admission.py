"""From a form to a reserved row: cheap checks first, and nothing charged before everything cheap is known to be right.

Order: form, deadline, signature, key and kind of the proof; payment, rate of the account, nonce and quota. Then the
proof goes to the object store, and nonce, quota and row are written in one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from aligned.core.errors import NONCE_USED, SERVER_BUSY, DependencyError, ProtocolError
from aligned.gateway.claims import Domain, parse_claim, signed_submission
from aligned.gateway.form import Form
from aligned.gateway.gate import Gate
from aligned.gateway.kinds import check_kind
from aligned.gateway.refusals import refusal
from aligned.gateway.verification import Job
from aligned.storage.aggregation import submissions
from aligned.storage.aggregation.accounts import Now
from aligned.storage.aggregation.submissions import Standing, Submission
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database
from aligned.storage.statements import Statements, Unanswered
from aligned.wire.aggregator import hex_of
from aligned.wire.gateway import EXPIRED_DEADLINE, NONCE_GAP, PAYMENT_REQUIRED, QUOTA_EXHAUSTED


class InDoubt(DependencyError):
    """The database went silent while it wrote the row: there may be one, which then needs its stored proof."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Where submissions go."""

    db: Database
    statements: Statements
    objects: ObjectStore


@dataclass(frozen=True, slots=True)
class Reserved:
    """A submission that is a row.

    Attributes:
        job: what to verify; None when the same proof of the same sender was there before.
    """

    id: UUID
    address: bytes
    job: Job | None


class Admission:
    """Admits submissions.

    Args:
        clock_skew_s: a payment counts so long before its time.
        lease_s: of the row that is written.
        clock: Unix seconds.
    """

    def __init__(
        self,
        stores: Stores,
        domain: Domain,
        gate: Gate,
        clock_skew_s: int,
        lease_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stores = stores
        self._domain = domain
        self._gate = gate
        self._clock_skew_s = clock_skew_s
        self._lease_s = lease_s
        self._clock = clock

    def now(self) -> Now:
        """The time at which quotas are judged."""
        now_s = int(self._clock())
        return Now(now_s, now_s + self._clock_skew_s)

    async def reserve(self, proof_id: UUID, form: Form) -> Reserved:
        """Takes nonce and quota for a form, or finds that the proof is there already.

        Raises:
            ProtocolError: see the module; also malformed_message, unsupported_system, key and kind of the proof.
            DependencyError: database_unavailable, store_unavailable; an InDoubt, if there may be a row all the same.
        """
        claim = parse_claim(form)
        if claim.deadline_s < self._clock():
            raise refusal(EXPIRED_DEADLINE, f"the signature was good until {claim.deadline_s}")
        submission = signed_submission(proof_id, form, claim, self._domain)
        check_kind(claim.system, form.proof_head)
        standing = await self._look(submission)
        if not standing.paid and standing.next_nonce is None:
            raise _payment_required(submission.address)
        self._gate.admit_account(submission.address)
        same = _check(submission, standing)
        if same is not None:
            return Reserved(same, submission.address, None)
        if standing.next_nonce is None:
            await self._stores.statements.write(
                lambda conn: submissions.open_account(conn, submission.address)
            )
        return await self._store(submission, form)

    async def _look(self, submission: Submission) -> Standing:
        return await self._stores.statements.read(lambda conn: submissions.look(conn, submission, self.now()))

    async def _store(self, submission: Submission, form: Form) -> Reserved:
        """The proof first, then its row: a row never misses its proof."""
        objects = self._stores.objects
        await objects.put_file(submission.proof_object, form.proof)
        try:
            reserved = await self._stores.statements.write(
                lambda conn: submissions.reserve(conn, submission, self.now(), self._lease_s)
            )
        except Unanswered as error:
            raise InDoubt(error.code, error.message) from error
        except DependencyError:
            await self._discard(submission)
            raise
        if reserved:
            return Reserved(submission.id, submission.address, _job(submission, form.proof))
        await self._discard(submission)
        # Somebody was faster: with this nonce, the last of the quota, or the very same proof.
        same = _check(submission, await self._look(submission))
        if same is None:
            raise DependencyError(SERVER_BUSY, "another submission of this account came in between")
        return Reserved(same, submission.address, None)

    async def _discard(self, submission: Submission) -> None:
        with suppress(DependencyError):  # costs room, nothing else
            await self._stores.objects.delete(submission.proof_object)


def _job(submission: Submission, path: Path) -> Job:
    return Job(
        submission.id,
        submission.system,
        submission.proof_object,
        submission.program_key,
        submission.public_inputs,
        lane=submission.address,
        path=path,
    )


def _check(submission: Submission, standing: Standing) -> UUID | None:
    """The row of the same proof; None when nothing is in the way of a new one."""
    if standing.same is not None:
        return standing.same
    _check_nonce(submission.nonce, standing.next_nonce or 0)
    if not standing.paid:
        raise _payment_required(submission.address)
    if not standing.remaining:
        text = f"all proofs that {hex_of(submission.address)} paid for are used"
        raise refusal(QUOTA_EXHAUSTED, text)
    return None


def _check_nonce(nonce: int, expected: int) -> None:
    if nonce < expected:
        raise refusal(NONCE_USED, f"nonce {nonce}, the next one is {expected}", expected=expected)
    if nonce > expected:
        raise refusal(NONCE_GAP, f"nonce {nonce}, the next one is {expected}", expected=expected)


def _payment_required(address: bytes) -> ProtocolError:
    return refusal(PAYMENT_REQUIRED, f"no payment of {hex_of(address)} is in its time")
