"""The asynchronous client of aggregation mode: pay, submit proofs, wait, and check what the gateway says."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Literal, Self, TypeAlias

from eth_account.signers.local import LocalAccount

from aligned.chain.client import ChainClient
from aligned.chain.contracts import AggregationPayments, PaymentTerms
from aligned.chain.types import ChainReceipt
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import INVALID_SIGNATURE, SERVER_BUSY, DependencyError, ProofError, ProtocolError
from aligned.sdk.aggregation_models import check_receipt
from aligned.sdk.aggregation_submission import ProofFiles
from aligned.sdk.aggregation_submitter import AggregationSubmitter
from aligned.sdk.beacon import BeaconNode
from aligned.sdk.deadline import Deadline
from aligned.sdk.gateway_http import GatewayHttp
from aligned.sdk.leaves import ArchiveSource, BeaconSource, LeafSource, Leaves, RootOnChain, find_leaves
from aligned.sdk.network import AggregationNetwork
from aligned.sdk.roots import Roots
from aligned.sdk.wallet import Wallet
from aligned.wire.aggregator import RATE_LIMITED
from aligned.wire.gateway import (
    Aggregation,
    AggregationPage,
    ProofState,
    QuotaAnswer,
    Receipt,
    ReceiptPage,
    Status,
    has_reached,
)

AggregationUntil: TypeAlias = Literal["mined", "final"]

DEFAULT_LIFETIME_S = 600.0


class AggregationClient:
    """Everything a user of aggregation mode does. An async context manager; `aligned.sdk.SyncAggregationClient` blocks.

    Args:
        network: where the deployment is.
        signer: owns the quota and signs submissions and payments; None for reading only.
    """

    def __init__(self, network: AggregationNetwork, signer: LocalAccount | None = None) -> None:
        self.network = network
        self._chain = ChainClient(network.rpc_urls, network.chain_id)
        self._wallet = None if signer is None else Wallet(self._chain, signer)
        self._gateway = GatewayHttp(network.gateway_url)
        self._beacons = [BeaconNode(url) for url in network.beacon_urls]
        self._payments = AggregationPayments(self._chain, network.payment_service)
        self._roots = Roots(self._chain, network.aggregation_service)
        self._submitter = None if signer is None else AggregationSubmitter(network, signer, self._gateway)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes all connections."""
        await self._gateway.close()
        for node in self._beacons:
            await node.close()
        await self._chain.close()

    async def terms(self) -> PaymentTerms:
        """What one payment costs and buys now."""
        return await self._payments.terms()

    async def deposit(self, beneficiary: bytes | None = None) -> ChainReceipt:
        """Buys one period for `beneficiary` (default: the signer) at the price in force.

        It cannot buy less than what `terms` says now, whatever happens before the transaction is mined.

        Raises:
            TxReverted: SubscriptionTimeExceedsLimit, IntakePaused, TermsBelowMinimum and the contract's other reasons.
        """
        wallet, terms = self._own_wallet(), await self._payments.terms()
        payee = beneficiary or wallet.address
        data = self._payments.encode_deposit_on_terms(payee, terms.proofs, terms.period_s)
        return await wallet.send(self._payments.address, data, value_wei=terms.price_wei)

    async def quota(self, address: bytes | None = None) -> QuotaAnswer:
        """Proofs that an address (default: the signer) has paid for and not used, as the gateway counts them."""
        return await self._gateway.quota(address or self._own_wallet().address)

    async def nonce(self, address: bytes | None = None) -> int:
        """The nonce that the next proof of an address (default: the signer) must carry."""
        return await self._gateway.nonce(address or self._own_wallet().address)

    async def submit(
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
        if self._submitter is None:
            raise ProtocolError(INVALID_SIGNATURE, "this client has no signer; give one to submit proofs")
        return await self._submitter.submit(files, nonce, int(time.time() + lifetime_s), timeout_s)

    async def receipt(self, proof_id: str) -> Receipt:
        """What the gateway says about a proof now.

        Raises:
            ProtocolError: unknown_proof.
        """
        return await self._gateway.receipt(proof_id)

    async def wait(
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
        waiting, may_wait = Deadline(timeout_s), True
        proof_id = ticket if isinstance(ticket, str) else str(ticket.id)
        while True:
            try:
                found = await self._gateway.receipt(proof_id, until if may_wait else None, waiting.left_s)
                may_wait = True
            except DependencyError as error:
                may_wait = error.code not in (SERVER_BUSY, RATE_LIMITED)
                await waiting.pause(f"{error.code}: {error.message}")
                continue
            if found.reject is not None:
                raise ProofError(found.reject.code, found.reject.reason)
            missing = f"state {found.state}, wanted {until}"
            if has_reached(found.state, until):
                _same_proof(ticket, found)
                check_receipt(found)
                missing = await self._missing_on_chain(found)
            if not missing:
                return found
            await waiting.pause(missing)

    async def _missing_on_chain(self, receipt: Receipt) -> str:
        try:
            return await self._roots.why_not(receipt)
        except DependencyError as error:
            return f"{error.code}: {error.message}"

    async def receipts(
        self,
        address: bytes | None = None,
        *,
        state: ProofState | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> ReceiptPage:
        """A page of an address's (default: the signer's) receipts, newest first."""
        owner = address or self._own_wallet().address
        return await self._gateway.receipts(owner, state, limit, cursor)

    async def aggregations(
        self, *, system: AggregationSystem | None = None, limit: int = 50, cursor: str | None = None
    ) -> AggregationPage:
        """A page of the gateway's aggregations, newest first."""
        return await self._gateway.aggregations(system, limit, cursor)

    async def aggregation(self, root: bytes) -> Aggregation:
        """What the gateway says about a root.

        Raises:
            ProtocolError: unknown_aggregation.
        """
        return await self._gateway.aggregation(root)

    async def gateway_status(self) -> Status:
        """Chain, contracts, limits, programs and price, as the gateway states them."""
        return await self._gateway.status()

    async def root_on_chain(self, root: bytes) -> RootOnChain:
        """What the contract has recorded about a root.

        Raises:
            ProtocolError: unknown_root.
        """
        return await self._roots.find(root)

    async def leaves(self, root: bytes) -> Leaves:
        """The commitments behind a root: from a beacon node's blobs, else from the gateway's archive; always checked.

        Raises:
            ProtocolError: unknown_root.
            DependencyError: leaves_unavailable: no source has them, with what each gave.
        """
        found = await self._roots.find(root)
        sources: list[LeafSource] = [BeaconSource(node) for node in self._beacons]
        return await find_leaves(found, [*sources, ArchiveSource(self._gateway, self.network.gateway_url)])

    async def verify_inclusion(self, receipt: Receipt, public_inputs: bytes | None = None) -> bool:
        """Asks the contract whether the receipt's proof is under a root that it has recorded and not revoked.

        Args:
            public_inputs: asks `verifyProofInclusion` about these and the receipt's program; None asks
                `verifyLeafInclusion` about the receipt's commitment.

        Raises:
            ProofError: not_aggregated: the receipt names no root yet.
        """
        return await self._roots.includes(receipt, public_inputs)

    def _own_wallet(self) -> Wallet:
        if self._wallet is None:
            raise ProtocolError(INVALID_SIGNATURE, "this client has no signer; give one, or name an address")
        return self._wallet


def _same_proof(ticket: Receipt | str, found: Receipt) -> None:
    if isinstance(ticket, Receipt) and (ticket.system, ticket.leaf) != (found.system, found.leaf):
        raise ProofError("other_proof", f"the gateway's receipt {found.id} is of another proof now")
