"""A gateway that takes one step of a submission at a time, for tests that interfere with each."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aligned.gateway.admission import Admission, Admitted, Reserved
from aligned.gateway.claims import Claim
from aligned.gateway.form import Form
from aligned.gateway.service import Gateway
from aligned.gateway.verification import Job, Verification, _Ticket
from aligned.storage.postgres import Database
from aligned.verifiers.base import Verdict, valid
from tests.integration.gateway.submitter import Proof, Submitter, risc0

OTHER = risc0("fib3_30_composite")
numbers = itertools.count(70_000)


@dataclass(slots=True)
class Verifier:
    """Says what it is told to, one verdict after the other; the last one for ever."""

    verdicts: list[Verdict] = field(default_factory=lambda: [valid()])
    workers: int = 1

    async def verify(self, *_: object) -> Verdict:
        await asyncio.sleep(0)
        return self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]


@dataclass(slots=True)
class World:
    """A gateway that does nothing by itself, and one account that paid for ten proofs."""

    gateway: Gateway
    db: Database
    user: Submitter

    @property
    def admission(self) -> Admission:
        return self.gateway._submissions._admission

    @property
    def verification(self) -> Verification:
        return self.gateway._verification

    async def admitted(self, proof: Proof, nonce: int = 0) -> tuple[uuid.UUID, Admitted, Form]:
        """An upload that has arrived."""
        proof_id = uuid.uuid4()
        deadline_s = int(time.time()) + 600
        form = self.user.form(proof, nonce, deadline_s)["data"]
        hashes = (bytes.fromhex(form[name][2:]) for name in ("proof_hash", "key_hash", "public_input_hash"))
        claim = Claim(
            proof.system, nonce, deadline_s, bytes.fromhex(form["signature"][2:]), *hashes, address=None
        )
        path = self.gateway._context.spool._path(proof_id)
        path.write_bytes(proof.proof)
        files = Form(proof.key, proof.public_inputs, path, len(proof.proof))
        return proof_id, await self.admission.admit(claim), files

    async def reserved(self, proof: Proof = OTHER, nonce: int = 0) -> Job:
        """A row in state verifying."""
        found = await self.reserve(*await self.admitted(proof, nonce))
        assert found.job is not None
        return found.job

    async def reserve(self, proof_id: uuid.UUID, admitted: Admitted, form: Form) -> Reserved:
        """The step, as `Submissions` takes it."""
        with self.gateway._context.spool.hold(proof_id):
            return await self.admission.reserve(proof_id, admitted, form)

    async def serve(self, job: Job) -> asyncio.Future[Verdict]:
        """The step from a row to its verdict."""
        outcome: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        outcome.add_done_callback(lambda done: done.cancelled() or done.exception())
        await self.verification._serve(_Ticket(job, outcome))
        return outcome

    async def orphan(self) -> None:
        """The payment leaves the chain."""
        await self._run("UPDATE quotas SET orphaned = TRUE WHERE address = %s", self.user.address)

    async def states(self) -> list[str]:
        rows = await self._run(
            "SELECT state FROM proofs WHERE address = %s ORDER BY nonce", self.user.address
        )
        return [row["state"] for row in rows]

    async def attempts(self, job: Job) -> int:
        return int((await self._run("SELECT attempts FROM proofs WHERE id = %s", job.id))[0]["attempts"])

    async def check_books(self) -> None:
        """Nonce and quota follow from the rows; each that is not rejected has its proof, and there are no others."""
        await self.gateway._look_at_kept()
        assert self.gateway._context.spool.kept(0.0) == []
        rows = await self._run("SELECT id, state FROM proofs WHERE address = %s", self.user.address)
        quota = await self._run("SELECT sum(used) AS used FROM quotas WHERE address = %s", self.user.address)
        nonce = await self._run("SELECT next_nonce FROM accounts WHERE address = %s", self.user.address)
        alive = [row["id"] for row in rows if row["state"] != "rejected"]
        assert int(quota[0]["used"]) == len(alive)
        assert (nonce[0]["next_nonce"] if nonce else 0) == len(rows)
        every = await self._run("SELECT id FROM proofs WHERE state <> 'rejected'")
        stored = {path.name for path in Path(self.gateway._context.settings.store.url).iterdir()}
        assert {f"{row['id'].hex}.proof" for row in every} == stored

    async def _run(self, statement: str, *values: object) -> list[dict[str, Any]]:
        async with self.db.transaction() as conn:
            found = await conn.execute(statement, values)
            return await found.fetchall() if found.description else []
