"""POST /v1/proofs: from the first byte of an upload to the verdict.

A stranger gets no further than the texts of the form: its files are taken when somebody who can pay signed for them.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import structlog
from starlette.requests import Request

from aligned.core.errors import MALFORMED_MESSAGE, TIMEOUT, UNSUPPORTED_VERSION, AlignedError
from aligned.gateway.admission import Admission, Admitted
from aligned.gateway.body import Body
from aligned.gateway.claims import Claim, check_file, parse_claim
from aligned.gateway.form import Form, FormReader, boundary_of
from aligned.gateway.form_parts import FormLimits
from aligned.gateway.gate import Gate
from aligned.gateway.kinds import check_format
from aligned.gateway.metrics import GatewayMetrics
from aligned.gateway.proofs import ProofReader
from aligned.gateway.refusals import refusal
from aligned.gateway.spool import Spool
from aligned.gateway.verification import Verification
from aligned.settings import GatewaySettings
from aligned.wire.aggregator import BODY_TOO_LARGE
from aligned.wire.gateway import UNSUPPORTED_MEDIA_TYPE, Receipt

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """A submission's receipt; `created` says that this request made its row."""

    receipt: Receipt
    created: bool


class Submissions:
    """Takes submissions."""

    def __init__(
        self,
        settings: GatewaySettings,
        spool: Spool,
        gate: Gate,
        admission: Admission,
        verification: Verification,
        proofs: ProofReader,
        metrics: GatewayMetrics,
    ) -> None:
        self._settings = settings
        self._limits = FormLimits(settings.max_proof_bytes, settings.max_public_input_bytes)
        self._spool = spool
        self._gate = gate
        self._admission = admission
        self._verification = verification
        self._proofs = proofs
        self._metrics = metrics
        self._following: set[asyncio.Future[Answered]] = set()

    async def submit(self, request: Request) -> Answered:
        """The receipt of a proof that is pending, unpaid or further.

        Raises:
            ProtocolError: any refusal, with its status; the proof's verdict with 422.
            DependencyError: server_busy, or something does not answer. Sending the same again is safe.
        """
        body = Body(request, self._settings.upload_idle_s, self._gate.least_bytes_per_s)
        try:
            client = self._gate.names.of(request)
            self._gate.admit_upload(client)
            self._verification.check_room()
            size_bytes = self._announced_bytes(request)
            boundary = boundary_of(request.headers.get("content-type", ""))
            form = FormReader(body.pieces(), boundary, self._limits)
            with self._gate.arrival(client):
                admitted = await self._admission.admit(await self._claim(form))
            self._gate.waits.remember(admitted.address, client)
            with self._gate.upload(admitted.address, client, size_bytes):
                return await self._receive(admitted, form)
        except AlignedError as error:
            self._metrics.refused(error.code)
            await body.drain()
            raise

    def _announced_bytes(self, request: Request) -> int:
        """Size of the body, or the largest one allowed when the client does not say it."""
        if "content-encoding" in request.headers:
            raise refusal(UNSUPPORTED_MEDIA_TYPE, "a content encoding is not supported")
        limit = self._limits.max_body_bytes
        text = request.headers.get("content-length", str(limit))
        if not text.isdecimal():
            raise refusal(MALFORMED_MESSAGE, "content-length: not a number")
        if len(text) > 18 or int(text) > limit:
            raise refusal(BODY_TOO_LARGE, f"at most {limit} bytes", limit_bytes=limit)
        return int(text)

    async def _claim(self, form: FormReader) -> Claim:
        try:
            async with asyncio.timeout(self._settings.upload_texts_s):
                return parse_claim(await form.texts())
        except TimeoutError as error:
            raise refusal(TIMEOUT, "the texts before the files take too long") from error

    async def _receive(self, admitted: Admitted, form: FormReader) -> Answered:
        """Reads the files; what follows is carried out to its end, whether the client stays or goes."""
        proof_id = uuid4()
        with ExitStack() as stack:
            path = stack.enter_context(self._spool.hold(proof_id))
            files = await self._files(admitted.claim, form, path)
            following = asyncio.ensure_future(self._finish(stack.pop_all(), proof_id, admitted, files))
        self._following.add(following)
        following.add_done_callback(self._forget)
        return await asyncio.shield(following)

    def _forget(self, following: asyncio.Future[Answered]) -> None:
        self._following.discard(following)
        if not following.cancelled():
            following.exception()  # nobody may be there any more to look at it

    async def _finish(self, upload: ExitStack, proof_id: UUID, admitted: Admitted, files: Form) -> Answered:
        with upload:
            return await self._submit(proof_id, admitted, files)

    async def _files(self, claim: Claim, form: FormReader, path: Path) -> Form:
        try:
            async with asyncio.timeout(self._settings.upload_timeout_s):
                files = await form.files(path, partial(check_file, claim))
        except TimeoutError as error:
            raise refusal(TIMEOUT, "the upload takes too long") from error
        await check_format(claim.system, path, files.key)
        return files

    async def _submit(self, proof_id: UUID, admitted: Admitted, form: Form) -> Answered:
        reserved = await self._admission.reserve(proof_id, admitted, form)
        if reserved.job is None:
            self._metrics.repeated()
            return Answered(await self._verified_elsewhere(reserved.id), created=False)
        verdict = await self._verification.start(reserved.job)
        if not verdict.valid:
            if verdict.code != UNSUPPORTED_VERSION:  # an honest mistake, and found without work
                self._gate.count_rejection(reserved.address)
            raise refusal(verdict.code, verdict.reason, id=str(reserved.id))
        self._metrics.accepted(reserved.job.system)
        return Answered(await self._proofs.receipt(reserved.id), created=True)

    async def _verified_elsewhere(self, proof_id: UUID) -> Receipt:
        """The receipt of a proof that another request brought, once it has its verdict."""
        receipt = await self._proofs.wait(proof_id, "pending", self._settings.verifier_timeout_s)
        if receipt.reject is not None:
            raise refusal(receipt.reject.code, receipt.reject.reason, id=str(proof_id))
        return receipt
