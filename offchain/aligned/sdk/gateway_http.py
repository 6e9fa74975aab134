"""The gateway's HTTP API (its OpenAPI page is at /docs). Answers are not trusted."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from aligned.core.aggregation import MAX_LEAVES, AggregationSystem
from aligned.core.errors import MALFORMED_MESSAGE, ConflictError, PaymentError, ProofError, ProtocolError
from aligned.core.types import HASH_BYTES
from aligned.sdk.aggregation_models import read
from aligned.sdk.aggregation_submission import SignedSubmission
from aligned.sdk.answers import Answer, JsonService
from aligned.wire.gateway import (
    UNKNOWN_AGGREGATION,
    UNKNOWN_PROOF,
    Aggregation,
    AggregationPage,
    NonceAnswer,
    ProofState,
    QuotaAnswer,
    Receipt,
    ReceiptPage,
    Status,
)

_TIMEOUT_S = 60.0
# Above the longest wait that is asked for.
_LONG_POLL_S = 25
_MAX_PAGE_BYTES = 8 << 20
_ERRORS = {402: PaymentError, 409: ConflictError, 422: ProofError}


class GatewayHttp:
    """One gateway.

    Args:
        base_url: without a trailing slash.
        transport: for tests.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._service = JsonService(base_url, "gateway", _TIMEOUT_S, transport)

    async def close(self) -> None:
        """Closes the connections."""
        await self._service.close()

    async def submit(self, submission: SignedSubmission) -> Receipt:
        """Hands a proof in; the same proof again is answered with the receipt that it has.

        Raises:
            PaymentError, ConflictError, ProofError, ProtocolError: the gateway's refusal, with its code.
            DependencyError: no answer, or not now (rate limit, gateway busy); the same submission may be sent again.
        """
        answer = await self._service.request("POST", "/v1/proofs", **submission.form())
        return read(Receipt, self._accepted(answer))

    def _accepted(self, answer: Answer) -> dict[str, Any]:
        try:
            return answer.unwrap(self._service)
        except ProtocolError as error:
            kind = _ERRORS.get(answer.status)
            if kind is None:
                raise
            raise kind(error.code, error.message, **error.context) from error

    async def nonce(self, address: bytes) -> int:
        """The nonce that the next proof of `address` must carry."""
        found = read(NonceAnswer, await self._service.get(f"/v1/accounts/0x{address.hex()}/nonce"))
        _check_same("nonce", address, found.address)
        return found.nonce

    async def quota(self, address: bytes) -> QuotaAnswer:
        """What `address` has paid for and not used."""
        found = read(QuotaAnswer, await self._service.get(f"/v1/accounts/0x{address.hex()}/quota"))
        _check_same("quota", address, found.address)
        return found

    async def receipt(
        self, proof_id: str, wait_for: ProofState | None = None, wait_s: float = _LONG_POLL_S
    ) -> Receipt:
        """State of a proof, at once or as soon as it has reached `wait_for` (at the latest after `wait_s`).

        Raises:
            ProtocolError: unknown_proof.
        """
        query = {} if wait_for is None else {"until": wait_for, "wait_s": str(int(min(wait_s, _LONG_POLL_S)))}
        asked = _uuid(proof_id)
        answer = await self._service.get(f"/v1/proofs/{asked}", params=query)
        if answer is None:
            raise ProtocolError(UNKNOWN_PROOF, f"the gateway has no proof {proof_id}")
        found = read(Receipt, answer)
        _check_same("receipt", asked, found.id)
        return found

    async def receipts(
        self, address: bytes, state: ProofState | None, limit: int, cursor: str | None
    ) -> ReceiptPage:
        """A page of an address's receipts, newest first."""
        query = {"address": f"0x{address.hex()}", "limit": str(limit)} | _present(state=state, cursor=cursor)
        answer = await self._service.get("/v1/proofs", max_bytes=_MAX_PAGE_BYTES, params=query)
        page = read(ReceiptPage, answer)
        for receipt in page.receipts:
            _check_same("receipt", address, receipt.address)
        return page

    async def aggregations(
        self, system: AggregationSystem | None, limit: int, cursor: str | None
    ) -> AggregationPage:
        """A page of aggregations, newest first."""
        name = None if system is None else system.wire_name
        query = {"limit": str(limit)} | _present(system=name, cursor=cursor)
        answer = await self._service.get("/v1/aggregations", max_bytes=_MAX_PAGE_BYTES, params=query)
        return read(AggregationPage, answer)

    async def aggregation(self, root: bytes) -> Aggregation:
        """What the gateway says about a root.

        Raises:
            ProtocolError: unknown_aggregation.
        """
        answer = await self._service.get(f"/v1/aggregations/0x{root.hex()}")
        if answer is None:
            raise _unknown(root)
        found = read(Aggregation, answer)
        _check_same("aggregation", root, found.root)
        return found

    async def leaves(self, root: bytes) -> bytes:
        """The commitments behind a root, concatenated: from the archive, unchecked.

        Raises:
            ProtocolError: unknown_aggregation.
        """
        path = f"/v1/aggregations/0x{root.hex()}/leaves"
        answer = await self._service.request("GET", path, HASH_BYTES * MAX_LEAVES)
        if answer.status == httpx.codes.NOT_FOUND:
            raise _unknown(root)
        if answer.status != httpx.codes.OK:
            answer.unwrap(self._service)
        return answer.body

    async def status(self) -> Status:
        """Chain, contracts, limits, programs and price, as the gateway states them."""
        return read(Status, await self._service.get("/v1/status"))


def _unknown(root: bytes) -> ProtocolError:
    return ProtocolError(UNKNOWN_AGGREGATION, f"the gateway has no aggregation 0x{root.hex()}")


def _check_same(what: str, asked: object, answered: object) -> None:
    if asked != answered:
        raise ProtocolError(MALFORMED_MESSAGE, f"the gateway's {what} is of another one than was asked for")


def _uuid(proof_id: str) -> uuid.UUID:
    try:
        return uuid.UUID(proof_id)
    except ValueError as error:
        raise ProtocolError(UNKNOWN_PROOF, f"{proof_id[:64]!r} is no id of a proof") from error


def _present(**values: str | None) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value is not None}
