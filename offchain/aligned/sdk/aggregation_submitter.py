"""Submissions of one signer: nonces in order, and the same bytes again when an answer is missing."""

from __future__ import annotations

from aligned_native import keccak256
from eth_account.signers.local import LocalAccount

from aligned.core.errors import MALFORMED_MESSAGE, NONCE_USED, ConflictError, DependencyError, ProtocolError
from aligned.sdk.aggregation_submission import ProofFiles, SignedSubmission
from aligned.sdk.deadline import Deadline
from aligned.sdk.gateway_http import GatewayHttp
from aligned.sdk.network import AggregationNetwork
from aligned.sdk.turns import account_turns
from aligned.wire.gateway import NONCE_GAP, Receipt

_MAX_NONCE_CLASHES = 8


class AggregationSubmitter:
    """Submits for one signer; calls of this process for one account take turns, so that nonces do not clash."""

    def __init__(self, network: AggregationNetwork, signer: LocalAccount, gateway: GatewayHttp) -> None:
        self._network = network
        self._signer = signer
        self._address = bytes.fromhex(signer.address[2:])
        self._gateway = gateway
        self._turns = account_turns("gateway", network.chain_id, network.payment_service_bytes, self._address)

    async def submit(
        self, files: ProofFiles, nonce: int | None, deadline_s: int, timeout_s: float
    ) -> Receipt:
        """The gateway's receipt, compared with what was sent. See `AggregationClient.submit`."""
        waiting = Deadline(timeout_s)
        async with self._turns.turn(timeout_s):
            for _ in range(_MAX_NONCE_CLASHES):
                signed = self._sign(files, await self._nonce(nonce, waiting), deadline_s)
                try:
                    return _checked(files, await self._send(signed, waiting))
                except ConflictError as error:
                    if nonce is not None or error.code not in (NONCE_USED, NONCE_GAP):
                        raise
                    await waiting.pause(f"{error.code}: {error.message}")
        raise ConflictError(NONCE_USED, f"another program uses the nonces of {self._signer.address}")

    async def _nonce(self, nonce: int | None, waiting: Deadline) -> int:
        while nonce is None:
            try:
                return await self._gateway.nonce(self._address)
            except DependencyError as error:
                await waiting.pause(f"{error.code}: {error.message}")
        return nonce

    def _sign(self, files: ProofFiles, nonce: int, deadline_s: int) -> SignedSubmission:
        network = self._network
        return SignedSubmission.sign(
            files,
            nonce,
            deadline_s,
            self._signer,
            chain_id=network.chain_id,
            payment_service=network.payment_service_bytes,
        )

    async def _send(self, signed: SignedSubmission, waiting: Deadline) -> Receipt:
        """A lost answer costs nothing: the same submission is answered with the receipt that it has."""
        while True:
            try:
                return await self._gateway.submit(signed)
            except DependencyError as error:
                after_s = error.context.get("retry_after_s")
                text = f"{error.code}: {error.message}"
                await waiting.pause(text, at_least_s=after_s if isinstance(after_s, int) else 0)


def _checked(files: ProofFiles, receipt: Receipt) -> Receipt:
    """Raises ProtocolError for a receipt of something else than was sent."""
    ours = (files.system.wire_name, files.commitment, files.leaf, keccak256(files.proof))
    if (receipt.system, receipt.commitment, receipt.leaf, receipt.proof_hash) != ours:
        raise ProtocolError(MALFORMED_MESSAGE, f"receipt {receipt.id} is of another proof than was sent")
    return receipt
