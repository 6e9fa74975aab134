"""The blocking client. Written by tools/generate_sync_sdk.py from client.py: edit that."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from eth_account.signers.local import LocalAccount

from aligned.chain.types import ChainReceipt
from aligned.core.types import VerificationData
from aligned.sdk.client import AlignedClient, Ticket
from aligned.sdk.depth import Until
from aligned.sdk.funds import Account
from aligned.sdk.models import Inclusion, ProofVerificationData, Submission, SubmitResult
from aligned.sdk.network import NetworkConfig
from aligned.sdk.portal import Portal
from aligned.sdk.posting import PreparedBatch


class SyncClient:
    """As `AlignedClient`, blocking. Use it as a context manager; threads may share it.

    Args:
        network: where the deployment is.
        signer: pays for proofs and signs transactions; None for reading only.
    """

    def __init__(self, network: NetworkConfig, signer: LocalAccount | None = None) -> None:
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

    def submit(
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
        return self._portal.run(
            self._client.submit(proofs, max_fee_wei=max_fee_wei, nonce=nonce, timeout_s=timeout_s)
        )

    def status(self, leaf: bytes) -> list[Submission]:
        """What the batcher says about a leaf, newest submission first; empty for an unknown one."""
        return self._portal.run(self._client.status(leaf))

    def wait(self, ticket: Ticket, *, until: Until = "verified", timeout_s: float | None = None) -> Inclusion:
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
        return self._portal.run(self._client.wait(ticket, until=until, timeout_s=timeout_s))

    def verify_onchain(self, data: ProofVerificationData) -> bool:
        """Asks the contract (`verifyBatchInclusion`)."""
        return self._portal.run(self._client.verify_onchain(data))

    def post_batch(
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
        return self._portal.run(self._client.post_batch(batch, pointer, fee_limit_wei))

    def wait_for_batch(
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
        return self._portal.run(self._client.wait_for_batch(root, sender, until=until, timeout_s=timeout_s))

    def estimate_fee(self, batch_size: int = 1) -> int:
        """Price of one proof in wei in a batch of `batch_size` at the present gas price; 1 never waits for others."""
        return self._portal.run(self._client.estimate_fee(batch_size))

    def nonce(self, address: bytes | None = None) -> int:
        """Next nonce of an address (default: the signer), queued proofs counted."""
        return self._portal.run(self._client.nonce(address))

    def balance(self, address: bytes | None = None) -> Account:
        """Deposit, cap and lock of an address (default: the signer)."""
        return self._portal.run(self._client.balance(address))

    def deposit(self, amount_wei: int, user: bytes | None = None) -> ChainReceipt:
        """Credits `user` (default: the signer) in the payment service."""
        return self._portal.run(self._client.deposit(amount_wei, user))

    def set_fee_cap(self, cap_wei: int) -> ChainReceipt:
        """Most that the contract lets the batcher charge for one proof; 0 restores the default.

        Lowering it is refused (CapLocked) while there is a balance that is not withdrawable yet: `unlock` first.
        """
        return self._portal.run(self._client.set_fee_cap(cap_wei))

    def unlock(self) -> ChainReceipt:
        """Starts the waiting time before `withdraw`."""
        return self._portal.run(self._client.unlock())

    def lock(self) -> ChainReceipt:
        """Stops the waiting time."""
        return self._portal.run(self._client.lock())

    def withdraw(self, amount_wei: int) -> ChainReceipt:
        """Takes unlocked funds out of the payment service."""
        return self._portal.run(self._client.withdraw(amount_wei))


async def _open(network: NetworkConfig, signer: LocalAccount | None) -> AlignedClient:
    """Made inside the portal's event loop, to which its connections belong."""
    return AlignedClient(network, signer)
