"""A burst of proofs through one batcher: nonces kept in order, one result per proof whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from eth_account.signers.local import LocalAccount

from aligned.core.commitment import commit
from aligned.core.errors import (
    NONCE_TOO_HIGH,
    NONCE_USED,
    PROOF_TOO_LARGE,
    TIMEOUT,
    AlignedError,
    DependencyError,
    ProtocolError,
)
from aligned.core.sizes import max_size_bytes
from aligned.core.types import VerificationData
from aligned.sdk.batcher_http import BatcherHttp
from aligned.sdk.frames import Accepted
from aligned.sdk.funds import Funds
from aligned.sdk.models import Receipt, SubmitResult
from aligned.sdk.network import NetworkConfig
from aligned.sdk.outstanding import Outstanding
from aligned.sdk.proof_warnings import warn_of
from aligned.sdk.session import CONNECTION_LOST, BatcherSession
from aligned.sdk.turns import account_turns

# Proofs on their way at a time: enough to keep the batcher's verifiers busy, few enough to resend after a refusal.
_WINDOW = 8
_MAX_RETRIES = 4
_FIRST_RETRY_S = 0.5


class Submitter:
    """Submits for one signer; calls of this process for one account take turns, so that nonces do not clash."""

    def __init__(self, network: NetworkConfig, signer: LocalAccount, http: BatcherHttp, funds: Funds) -> None:
        self._network = network
        self._signer = signer
        self._address = bytes.fromhex(signer.address[2:])
        self._http = http
        self._funds = funds
        self._turns = account_turns("batcher", network.chain_id, network.payment_service_bytes, self._address)
        self._batcher: bytes | None = None

    async def submit(
        self, proofs: Sequence[VerificationData], max_fee_wei: int, nonce: int | None, timeout_s: float
    ) -> list[SubmitResult]:
        """One result per proof, in order; what is unanswered after `timeout_s` has error `timeout`.

        Raises:
            DependencyError: no connection, nonce or turn to be had: nothing was submitted.
        """
        warn_of(proofs)
        async with self._turns.turn(timeout_s):
            burst = _Burst(self, proofs, max_fee_wei, nonce)
            try:
                async with asyncio.timeout(timeout_s):
                    await burst.run()
            except TimeoutError:
                text = f"no answer in {timeout_s:.0f} s; look the leaf up before resending"
                burst.fail_rest(DependencyError(TIMEOUT, text))
            finally:
                await burst.close()
        return burst.results()

    async def open_session(self) -> BatcherSession:
        """A connection whose receipts are held against the batcher in office."""
        if self._batcher is None:
            named = self._network.batcher_address
            self._batcher = bytes.fromhex(named[2:]) if named else await self._funds.batcher()
        return await BatcherSession.open(self._network, self._signer, self._batcher)

    async def next_nonce(self) -> int:
        """By the batcher's count, queued proofs included."""
        return await self._http.next_nonce(self._address)

    async def accepted(self, leaf: bytes, nonce: int) -> Accepted | None:
        """The batcher's word on this very submission, if it has taken it."""
        for row in await self._http.submissions(leaf, (self._address, nonce)):
            if not row.state.is_lost:
                return Accepted(leaf, row.sender, nonce, row.position, row.deadline_s, row.receipt_signature)
        return None


class _Burst:
    """State of one `submit` call: the connection, the next nonce, and what is answered so far."""

    def __init__(
        self,
        submitter: Submitter,
        proofs: Sequence[VerificationData],
        max_fee_wei: int,
        first_nonce: int | None,
    ) -> None:
        self._submitter = submitter
        self._proofs = proofs
        self._max_fee_wei = max_fee_wei
        self._is_fixed = first_nonce is not None
        self._nonce = first_nonce or 0
        self._session: BatcherSession | None = None
        self._results: dict[int, SubmitResult] = {}
        self._retries = 0
        self._was_interrupted = False

    async def run(self) -> None:
        """Submits window by window until every proof has a result."""
        self._session = await self._submitter.open_session()
        if not self._is_fixed:
            self._nonce = await self._submitter.next_nonce()
        try:
            while window := self._next_window(self._session.max_proof_bytes):
                proofs = [self._proofs[index] for index in window]
                await self._take(window, await self._session.submit(proofs, self._nonce, self._max_fee_wei))
        except AlignedError as error:
            self.fail_rest(error)

    async def close(self) -> None:
        """Closes the connection."""
        if self._session is not None:
            await self._session.close()

    def results(self) -> list[SubmitResult]:
        """In the order of the proofs."""
        return [self._results[index] for index in range(len(self._proofs))]

    def fail_rest(self, error: AlignedError) -> None:
        """Gives every proof that has no result yet this error."""
        for index in range(len(self._proofs)):
            if index not in self._results:
                self._fail(index, error)

    def _fail(self, index: int, error: AlignedError) -> None:
        self._results[index] = SubmitResult(index, self._proofs[index], error=error)

    def _next_window(self, max_proof_bytes: int) -> list[int]:
        window: list[int] = []
        for index, data in enumerate(self._proofs):
            if index in self._results or len(window) == _WINDOW:
                continue
            limit = max_size_bytes(data.proving_system, max_proof_bytes)
            if data.size_bytes > limit:
                text = f"{data.size_bytes} bytes (proof, public input, key and program together), at most {limit}"
                self._fail(index, ProtocolError(PROOF_TOO_LARGE, text))
            else:
                window.append(index)
        return window

    async def _take(self, window: Sequence[int], answers: Sequence[Receipt | AlignedError]) -> None:
        """Keeps the receipts up to the first refusal; what was sent after that stays open for the next window."""
        for index, answer in zip(window, answers, strict=True):
            if isinstance(answer, AlignedError):
                await self._recover(index, answer)
                return
            self._results[index] = SubmitResult(index, self._proofs[index], receipt=answer)
            self._nonce += 1
            self._retries = 0

    async def _recover(self, index: int, error: AlignedError) -> None:
        is_nonce_error = error.code in (NONCE_USED, NONCE_TOO_HIGH) and not self._is_fixed
        if not (error.retryable or is_nonce_error) or self._retries == _MAX_RETRIES:
            self._fail(index, error)
            return
        self._retries += 1
        if is_nonce_error:
            await self._find_nonce(index, error)
            return
        if error.code == CONNECTION_LOST:
            # The same message again is answered with the same receipt, if it was accepted.
            self._was_interrupted = True
            await self.close()
            self._session = await self._reconnect()
        else:
            await asyncio.sleep(_pause_s(self._retries - 1))

    async def _reconnect(self) -> BatcherSession:
        for attempt in range(_MAX_RETRIES):
            await asyncio.sleep(_pause_s(attempt))
            with contextlib.suppress(DependencyError):
                return await self._submitter.open_session()
        return await self._submitter.open_session()

    async def _find_nonce(self, index: int, error: AlignedError) -> None:
        """Asks for the next nonce, unless the used one was used by this very proof before the connection broke."""
        if not (self._was_interrupted and error.code == NONCE_USED and await self._find_receipt(index)):
            self._nonce = await self._submitter.next_nonce()

    async def _find_receipt(self, index: int) -> bool:
        data = self._proofs[index]
        commitments = commit(data)
        accepted = await self._submitter.accepted(commitments.leaf, self._nonce)
        if accepted is None or self._session is None:
            return False
        self._session.check(accepted)
        receipt = Outstanding([commitments], self._nonce, self._max_fee_wei).receipt(accepted)
        self._results[index] = SubmitResult(index, data, receipt=receipt)
        self._nonce += 1
        return True


def _pause_s(attempt: int) -> float:
    return _FIRST_RETRY_S * (1 << attempt)
