"""From a form to a reserved row: cheap checks first, and nothing charged before everything cheap is known to be right.

Of its texts: deadline, signature, payment, rate of the account, nonce and quota. Then, of its files: whether they are
the signed ones and can be aggregated (`claims.check_file`). Then the proof goes to the object store, and nonce, quota
and row are written in one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from aligned.core.errors import NONCE_USED, SERVER_BUSY, DependencyError, ProtocolError
from aligned.gateway.claims import Claim, Domain, signed_submission, signer_of
from aligned.gateway.form import Form
from aligned.gateway.gate import Gate
from aligned.gateway.refusals import refusal
from aligned.gateway.spool import Spool
from aligned.gateway.verification import Job
from aligned.storage.aggregation import submissions
from aligned.storage.aggregation.accounts import Now
from aligned.storage.aggregation.submissions import Standing, Submission, Wanted
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database
from aligned.storage.statements import Statements, Unanswered
from aligned.wire.aggregator import hex_of
from aligned.wire.gateway import EXPIRED_DEADLINE, NONCE_GAP, PAYMENT_REQUIRED, QUOTA_EXHAUSTED


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


@dataclass(frozen=True, slots=True)
class Admitted:
    """A claim of somebody who can pay for it.

    Attributes:
        same: the row of the same proof of the same account.
        has_account: the account's row is there.
    """

    claim: Claim
    address: bytes
    same: UUID | None
    has_account: bool


class Admission:
    """Admits submissions.

    Args:
        spool: is told of stored proofs that may have no row.
        clock_skew_s: a payment counts so long before its time.
        lease_s: of the row that is written.
        clock: Unix seconds.
    """

    def __init__(
        self,
        stores: Stores,
        domain: Domain,
        gate: Gate,
        spool: Spool,
        clock_skew_s: int,
        lease_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stores = stores
        self._domain = domain
        self._gate = gate
        self._spool = spool
        self._clock_skew_s = clock_skew_s
        self._lease_s = lease_s
        self._clock = clock

    def now(self) -> Now:
        """The time at which quotas are judged."""
        now_s = int(self._clock())
        return Now(now_s, now_s + self._clock_skew_s)

    async def admit(self, claim: Claim) -> Admitted:
        """Whether somebody who can pay signed this claim; nothing of its files is needed, and nothing is taken.

        Raises:
            ProtocolError: expired_deadline, bad_signature, payment_required, quota_exhausted, nonce_used, nonce_gap,
                rate_limited.
            DependencyError: database_unavailable.
        """
        if claim.deadline_s < self._clock():
            raise refusal(EXPIRED_DEADLINE, f"the signature was good until {claim.deadline_s}")
        address = signer_of(claim, self._domain)
        standing = await self._look(claim, address)
        if not standing.paid and standing.next_nonce is None:
            raise _payment_required(address)
        self._gate.admit_account(address)
        same = _check(claim, address, standing)
        return Admitted(claim, address, same, standing.next_nonce is not None)

    async def reserve(self, proof_id: UUID, admitted: Admitted, form: Form) -> Reserved:
        """Takes nonce and quota for an admitted claim and its files, or finds that the proof is there already.

        Raises:
            ProtocolError: nonce_used, quota_exhausted and the like, if somebody was faster.
            DependencyError: database_unavailable, store_unavailable.
        """
        if admitted.same is not None:
            return Reserved(admitted.same, admitted.address, None)
        submission = signed_submission(proof_id, form, admitted.claim, admitted.address)
        if not admitted.has_account:
            await self._stores.statements.write(
                lambda conn: submissions.open_account(conn, submission.address)
            )
        return await self._store(submission, admitted, form)

    async def _look(self, claim: Claim, address: bytes) -> Standing:
        wanted = Wanted(address, claim.system, claim.proof_hash, claim.key_hash, claim.public_input_hash)
        return await self._stores.statements.read(lambda conn: submissions.look(conn, wanted, self.now()))

    async def _store(self, submission: Submission, admitted: Admitted, form: Form) -> Reserved:
        """The proof first, then its row: a row never misses its proof.

        Until it is known whether there is a row, the stored proof is one to be looked at later.
        """
        self._spool.keep(submission.id)
        try:
            await self._stores.objects.put_file(submission.proof_object, form.proof)
            reserved = await self._stores.statements.write(
                lambda conn: submissions.reserve(conn, submission, self.now(), self._lease_s)
            )
        except Unanswered:
            raise
        except DependencyError:
            await self._discard(submission)
            raise
        if reserved:
            self._spool.drop(submission.id)
            return Reserved(submission.id, submission.address, _job(submission, form.proof))
        await self._discard(submission)
        # Somebody was faster: with this nonce, the last of the quota, or the very same proof.
        claim, address = admitted.claim, admitted.address
        same = _check(claim, address, await self._look(claim, address))
        if same is None:
            raise DependencyError(SERVER_BUSY, "another submission of this account came in between")
        return Reserved(same, submission.address, None)

    async def _discard(self, submission: Submission) -> None:
        with suppress(DependencyError):  # it is tried again later
            await self._stores.objects.delete(submission.proof_object)
            self._spool.drop(submission.id)


def _job(submission: Submission, path: Path) -> Job:
    return Job(
        submission.id,
        submission.system,
        submission.proof_object,
        submission.proof_hash,
        submission.size_bytes,
        submission.program_key,
        submission.public_inputs,
        lane=submission.address,
        path=path,
    )


def _check(claim: Claim, address: bytes, standing: Standing) -> UUID | None:
    """The row of the same proof; None when nothing is in the way of a new one."""
    if standing.same is not None:
        return standing.same
    _check_nonce(claim.nonce, standing.next_nonce or 0)
    if not standing.paid:
        raise _payment_required(address)
    if not standing.remaining:
        text = f"all proofs that {hex_of(address)} paid for are used"
        raise refusal(QUOTA_EXHAUSTED, text)
    return None


def _check_nonce(nonce: int, expected: int) -> None:
    if nonce < expected:
        raise refusal(NONCE_USED, f"nonce {nonce}, the next one is {expected}", expected=expected)
    if nonce > expected:
        raise refusal(NONCE_GAP, f"nonce {nonce}, the next one is {expected}", expected=expected)


def _payment_required(address: bytes) -> ProtocolError:
    return refusal(PAYMENT_REQUIRED, f"no payment of {hex_of(address)} is in its time")
