"""The asynchronous client: submit proofs, wait for them, check them on chain, manage the money."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeAlias

from eth_account.signers.local import LocalAccount

from aligned.chain.client import ChainClient
from aligned.chain.contracts import BatchStatus, ServiceManager
from aligned.chain.deployment import address_bytes
from aligned.chain.types import ChainReceipt
from aligned.core import fees
from aligned.core.commitment import Commitments, commit
from aligned.core.errors import INVALID_SIGNATURE, ConflictError, DependencyError, ProtocolError
from aligned.core.types import VerificationData
from aligned.sdk.batcher_http import BatcherHttp
from aligned.sdk.deadline import Deadline
from aligned.sdk.depth import DepthReader, Until, patience_s
from aligned.sdk.funds import Account, Funds
from aligned.sdk.models import (
    Inclusion,
    ProofVerificationData,
    Receipt,
    State,
    Submission,
    SubmitResult,
    check_inclusion,
)
from aligned.sdk.network import NetworkConfig
from aligned.sdk.posting import PreparedBatch
from aligned.sdk.submission import Submitter
from aligned.sdk.wallet import Wallet

Ticket: TypeAlias = Receipt | VerificationData | bytes

PROOF_LOST = "proof_lost"


class AlignedClient:
    """Everything a user does. Use it as an async context manager; `aligned.sdk.SyncClient` is its blocking twin.

    Args:
        network: where the deployment is.
        signer: pays for proofs and signs transactions; None for reading only.
    """

    def __init__(self, network: NetworkConfig, signer: LocalAccount | None = None) -> None:
        self.network = network
        self._chain = ChainClient(network.rpc_urls, network.chain_id)
        self._wallet = None if signer is None else Wallet(self._chain, signer)
        self._http = BatcherHttp(network.batcher_http_url)
        self._manager = ServiceManager(self._chain, address_bytes(network.service_manager))
        self.funds = Funds(self._chain, network.payment_service_bytes, self._wallet)
        self._depth = DepthReader(self._chain, self._manager, network.final_depth_blocks)
        self._submitter = None if signer is None else Submitter(network, signer, self._http, self.funds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes all connections."""
        await self._http.close()
        await self._chain.close()

    async def submit(
        self,
        proofs: Sequence[VerificationData],
        *,
        max_fee_wei: int | None = None,
        nonce: int | None = None,
        timeout_s: float = 120.0,
    ) -> list[SubmitResult]:
        """Submits proofs; one result each, in order, also when the connection breaks half-way.

        Args:
            max_fee_wei: most that one proof may cost; None takes the quoted price with a margin.
            nonce: of the first proof, to replace a queued one; None lets the batcher's count decide.
            timeout_s: for the whole call; what is unanswered by then has error `timeout`.

        Raises:
            ProtocolError: this client has no signer.
            DependencyError: no quote, nonce or connection to be had: nothing was submitted.
        """
        if self._submitter is None:
            raise ProtocolError(INVALID_SIGNATURE, "this client has no signer; give one to submit proofs")
        fee_wei = max_fee_wei if max_fee_wei is not None else await self.estimate_fee()
        return await self._submitter.submit(proofs, fee_wei, nonce, timeout_s)

    async def status(self, leaf: bytes) -> list[Submission]:
        """What the batcher says about a leaf, newest submission first; empty for an unknown one."""
        return await self._http.submissions(leaf)

    async def wait(
        self, ticket: Ticket, *, until: Until = "verified", timeout_s: float | None = None
    ) -> Inclusion:
        """Waits until a proof is in a batch on chain, until that is verified, or until no reorganisation changes that.

        The path is recomputed here. "included" (or "posted") is the batcher's word, "verified" is what the contract
        says at the head, "final" what it says 64 blocks below. A batch that leaves the chain before it is final is
        posted again. While batcher or chain do not answer, it goes on waiting.

        Args:
            ticket: receipt, the proof itself, or its 32-byte leaf.
            timeout_s: None: 600, and 1,800 for "final".

        Raises:
            ConflictError: proof_lost: it failed, was refused or replaced, with the reason.
            ProofError: the batcher's path does not lead from this leaf to its root.
            DependencyError: timeout, with the state it was in.
        """
        leaf, commitments = _known(ticket)
        own = (ticket.sender, ticket.nonce) if isinstance(ticket, Receipt) else None
        waiting = Deadline(patience_s(until, timeout_s))
        while True:
            try:
                found = _relevant(await self._http.submissions(leaf, own))
                inclusion = None if found is None else self._checked(leaf, commitments, found)
                if inclusion is not None and (reached := await self._depth.reached(inclusion, until)):
                    return reached
            except DependencyError as error:
                await waiting.pause(f"{error.code}: {error.message}")
                continue
            if found is not None and found.state.is_lost:
                raise ConflictError(PROOF_LOST, f"{found.state}: {found.reason or 'no reason given'}")
            await waiting.pause(f"state {found.state if found else 'unknown to the batcher'}, wanted {until}")

    def _checked(self, leaf: bytes, commitments: Commitments | None, found: Submission) -> Inclusion | None:
        if found.inclusion is None or found.state in (State.QUEUED, State.BUILDING) or found.state.is_lost:
            return None
        check_inclusion(leaf, found.inclusion)
        sender = found.sender_address or self.network.payment_service_bytes
        return Inclusion(
            leaf, found.state, found.inclusion, sender, found.tx_hash, commitments, found.confirmations
        )

    async def verify_onchain(self, data: ProofVerificationData) -> bool:
        """Asks the contract (`verifyBatchInclusion`)."""
        return await self._manager.verify_batch_inclusion(
            (data.proof_commitment, data.pub_input_commitment, data.aux_commitment),
            data.generator,
            data.batch_root,
            data.merkle_path,
            data.index,
            data.sender_address,
        )

    async def post_batch(
        self, batch: PreparedBatch, pointer: str, fee_limit_wei: int | None = None
    ) -> ChainReceipt:
        """Opens the task of an uploaded batch, paid by the signer; no batcher is involved.

        Args:
            pointer: URL (or comma-separated URLs) where operators download `batch.file`.
            fee_limit_wei: most that the answer may cost; what it does not cost can be reclaimed. None: from the gas
                price, at least the contract's minimum.

        Raises:
            TxReverted: BatchAlreadySubmitted and the contract's other reasons.
        """
        wallet = self._own_wallet()
        if fee_limit_wei is None:
            usual = fees.fee_for_aggregator_wei(await self._chain.gas_price())
            fee_limit_wei = max(usual, (await self._manager.config()).min_fee_wei)
        data = self._manager.encode_create_new_task(batch.root, pointer, fee_limit_wei)
        return await wallet.send(self._manager.address, data, value_wei=fee_limit_wei)

    async def wait_for_batch(
        self,
        root: bytes,
        sender: bytes | None = None,
        *,
        until: Until = "verified",
        timeout_s: float | None = None,
    ) -> None:
        """Waits until a batch that was posted is verified on chain, or so deep that it stays so ("final").

        Args:
            sender: who posted it (default: the signer).
            timeout_s: as in `wait`.

        Raises:
            ConflictError: proof_lost: it expired or was revoked.
            DependencyError: timeout.
        """
        poster, waiting = sender or self._own_wallet().address, Deadline(patience_s(until, timeout_s))
        while True:
            try:
                status = await self._depth.status(root, poster)
                if status is not BatchStatus.UNKNOWN and await self._depth.has_reached(root, poster, until):
                    return
            except DependencyError as error:
                await waiting.pause(f"{error.code}: {error.message}")
                continue
            if status in (BatchStatus.EXPIRED, BatchStatus.REVOKED):
                raise ConflictError(PROOF_LOST, f"the batch is {status.name.lower()}")
            await waiting.pause(f"the batch is {status.name.lower()}, wanted {until}")

    async def estimate_fee(self, batch_size: int = 1) -> int:
        """Price of one proof in wei in a batch of `batch_size` at the present gas price; 1 never waits for others."""
        return fees.fee_per_proof_wei(batch_size, await self._chain.gas_price())

    async def nonce(self, address: bytes | None = None) -> int:
        """Next nonce of an address (default: the signer), queued proofs counted."""
        return await self._http.next_nonce(address or self._own_wallet().address)

    async def balance(self, address: bytes | None = None) -> Account:
        """Deposit, cap and lock of an address (default: the signer)."""
        return await self.funds.account(address or self._own_wallet().address)

    async def deposit(self, amount_wei: int, user: bytes | None = None) -> ChainReceipt:
        """Credits `user` (default: the signer) in the payment service."""
        return await self.funds.deposit(amount_wei, user)

    async def set_fee_cap(self, cap_wei: int) -> ChainReceipt:
        """Most that the contract lets the batcher charge for one proof; 0 restores the default.

        Lowering it is refused (CapLocked) while there is a balance that is not withdrawable yet: `unlock` first.
        """
        return await self.funds.set_fee_cap(cap_wei)

    async def unlock(self) -> ChainReceipt:
        """Starts the waiting time before `withdraw`."""
        return await self.funds.unlock()

    async def lock(self) -> ChainReceipt:
        """Stops the waiting time."""
        return await self.funds.lock()

    async def withdraw(self, amount_wei: int) -> ChainReceipt:
        """Takes unlocked funds out of the payment service."""
        return await self.funds.withdraw(amount_wei)

    def _own_wallet(self) -> Wallet:
        if self._wallet is None:
            raise ProtocolError(INVALID_SIGNATURE, "this client has no signer; give one, or name an address")
        return self._wallet


def _known(ticket: Ticket) -> tuple[bytes, Commitments | None]:
    if isinstance(ticket, Receipt):
        return ticket.leaf, ticket.commitments
    if isinstance(ticket, VerificationData):
        commitments = commit(ticket)
        return commitments.leaf, commitments
    return ticket, None


def _relevant(rows: Sequence[Submission]) -> Submission | None:
    """The newest one that is not lost, else the newest."""
    alive = [row for row in rows if not row.state.is_lost]
    candidates = alive or list(rows)
    return candidates[0] if candidates else None
