"""The blocking client. Written by tools/generate_sync_sdk.py from aggregation.py: edit that."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from eth_account.signers.local import LocalAccount

from aligned.chain.contracts import PaymentTerms
from aligned.chain.types import ChainReceipt
from aligned.core.aggregation import AggregationSystem
from aligned.sdk.aggregation import DEFAULT_LIFETIME_S, AggregationClient, AggregationUntil
from aligned.sdk.aggregation_submission import ProofFiles
from aligned.sdk.leaves import Leaves, RootOnChain
from aligned.sdk.network import AggregationNetwork
from aligned.sdk.portal import Portal
from aligned.wire.gateway import (
    Aggregation,
    AggregationPage,
    ProofState,
    QuotaAnswer,
    Receipt,
    ReceiptPage,
    Status,
)


class SyncAggregationClient:
    """As `AggregationClient`, blocking. Use it as a context manager; threads may share it.

    Args:
        network: where the deployment is.
        signer: pays for proofs and signs transactions; None for reading only.
    """

    def __init__(self, network: AggregationNetwork, signer: LocalAccount | None = None) -> None:
        self.network = network
        self._portal = Portal()
        self._client = self._portal.run(_open(network, signer))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections."""
        self._portal.run(self._client.close())
        self._portal.stop()

    def terms(self) -> PaymentTerms:
        """What one payment costs and buys now."""
        return self._portal.run(self._client.terms())

    def deposit(self, beneficiary: bytes | None = None) -> ChainReceipt:
        """Buys one period for `beneficiary` (default: the signer) at the price in force.

        It cannot buy less than what `terms` says now, whatever happens before the transaction is mined.

        Raises:
            TxReverted: SubscriptionTimeExceedsLimit, IntakePaused, TermsBelowMinimum and the contract's other reasons.
        """
        return self._portal.run(self._client.deposit(beneficiary))

    def quota(self, address: bytes | None = None) -> QuotaAnswer:
        """Proofs that an address (default: the signer) has paid for and not used, as the gateway counts them."""
        return self._portal.run(self._client.quota(address))

    def nonce(self, address: bytes | None = None) -> int:
        """The nonce that the next proof of an address (default: the signer) must carry."""
        return self._portal.run(self._client.nonce(address))

    def submit(
        self,
        files: ProofFiles,
        *,
        nonce: int | None = None,
        lifetime_s: float = DEFAULT_LIFETIME_S,
        timeout_s: float = 120.0,
    ) -> Receipt:
        """Hands one proof in; the gateway has verified it when this returns.

        The same proof of the same signer again gets the same receipt.

        Args:
            nonce: None asks the gateway for the next one.
            lifetime_s: how long the signature is good for.
            timeout_s: for the whole call; while the gateway is busy or silent, the same submission is sent again.

        Raises:
            PaymentError: payment_required, quota_exhausted.
            ProofError: why the verifier refused the proof.
            ConflictError, ProtocolError: the gateway's other refusals; no signer.
            DependencyError: timeout.
        """
        return self._portal.run(
            self._client.submit(files, nonce=nonce, lifetime_s=lifetime_s, timeout_s=timeout_s)
        )

    def receipt(self, proof_id: str) -> Receipt:
        """What the gateway says about a proof now.

        Raises:
            ProtocolError: unknown_proof.
        """
        return self._portal.run(self._client.receipt(proof_id))

    def wait(
        self, ticket: Receipt | str, *, until: AggregationUntil = "final", timeout_s: float = 3_600.0
    ) -> Receipt:
        """Waits until a proof's aggregation is in a block, or is final.

        The path is recomputed here, and the contract is asked for the root: while it has none, or has revoked it,
        the proof is not there, whatever the gateway says. "final" is the gateway's word. While gateway or chain do not
        answer, it goes on waiting; a gateway that lets nobody wait is asked now and then.

        Args:
            ticket: a receipt, or the id in it.

        Raises:
            ProofError: the proof was rejected, with the reason (root_revoked: submit it again); invalid_proof: the path
                does not lead to the root.
            DependencyError: timeout, with the state it was in.
        """
        return self._portal.run(self._client.wait(ticket, until=until, timeout_s=timeout_s))

    def receipts(
        self,
        address: bytes | None = None,
        *,
        state: ProofState | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> ReceiptPage:
        """A page of an address's (default: the signer's) receipts, newest first."""
        return self._portal.run(self._client.receipts(address, state=state, limit=limit, cursor=cursor))

    def aggregations(
        self, *, system: AggregationSystem | None = None, limit: int = 50, cursor: str | None = None
    ) -> AggregationPage:
        """A page of the gateway's aggregations, newest first."""
        return self._portal.run(self._client.aggregations(system=system, limit=limit, cursor=cursor))

    def aggregation(self, root: bytes) -> Aggregation:
        """What the gateway says about a root.

        Raises:
            ProtocolError: unknown_aggregation.
        """
        return self._portal.run(self._client.aggregation(root))

    def gateway_status(self) -> Status:
        """Chain, contracts, limits, programs and price, as the gateway states them."""
        return self._portal.run(self._client.gateway_status())

    def root_on_chain(self, root: bytes) -> RootOnChain:
        """What the contract has recorded about a root.

        Raises:
            ProtocolError: unknown_root.
        """
        return self._portal.run(self._client.root_on_chain(root))

    def leaves(self, root: bytes) -> Leaves:
        """The commitments behind a root: from a beacon node's blobs, else from the gateway's archive; always checked.

        Raises:
            ProtocolError: unknown_root.
            DependencyError: leaves_unavailable: no source has them, with what each gave.
        """
        return self._portal.run(self._client.leaves(root))

    def verify_inclusion(self, receipt: Receipt, public_inputs: bytes | None = None) -> bool:
        """Asks the contract whether the receipt's proof is under a root that it has recorded and not revoked.

        Args:
            public_inputs: asks `verifyProofInclusion` about these and the receipt's program; None asks
                `verifyLeafInclusion` about the receipt's commitment.

        Raises:
            ProofError: not_aggregated: the receipt names no root yet.
        """
        return self._portal.run(self._client.verify_inclusion(receipt, public_inputs))


async def _open(network: AggregationNetwork, signer: LocalAccount | None) -> AggregationClient:
    """Made inside the portal's event loop, to which its connections belong."""
    return AggregationClient(network, signer)
