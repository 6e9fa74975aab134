"""A user's money in the payment service: deposits, fee cap, and the way out."""

from __future__ import annotations

from dataclasses import dataclass

from aligned.chain.client import ChainClient
from aligned.chain.contracts import PaymentService
from aligned.chain.types import ChainReceipt
from aligned.core.errors import INSUFFICIENT_BALANCE, INVALID_SIGNATURE, PaymentError, ProtocolError
from aligned.sdk.wallet import Wallet


@dataclass(frozen=True, slots=True)
class Account:
    """One user's state in the payment service.

    Attributes:
        nonce: the next one on chain; proofs that wait in the batcher's queue are not counted.
        fee_cap_wei: most that the contract lets the batcher charge for one proof.
        unlocked_at_s: Unix seconds from which the balance can be withdrawn, 0 while it is locked.
    """

    balance_wei: int
    nonce: int
    fee_cap_wei: int
    unlocked_at_s: int


class Funds:
    """The payment service, for one wallet (None: views only)."""

    def __init__(self, chain: ChainClient, payment_service: bytes, wallet: Wallet | None) -> None:
        self._service = PaymentService(chain, payment_service)
        self._wallet = wallet

    async def account(self, user: bytes) -> Account:
        """State of `user` (20 bytes)."""
        nonce, balance_wei, unlocked_at_s, fee_cap_wei = await self._service.account(user)
        return Account(balance_wei, nonce, fee_cap_wei, unlocked_at_s)

    async def batcher(self) -> bytes:
        """The batcher in office, 20 bytes."""
        return await self._service.batcher()

    async def deposit(self, amount_wei: int, user: bytes | None = None) -> ChainReceipt:
        """Credits `user` (default: the wallet) and locks its funds again if they were unlocking."""
        payee = user or self._own_wallet.address
        return await self._send(self._service.encode_deposit(payee), value_wei=_positive(amount_wei))

    async def set_fee_cap(self, cap_wei: int) -> ChainReceipt:
        """Sets the most that one proof may cost; 0 restores the default. Lowering needs an unlocked balance."""
        return await self._send(self._service.encode_set_fee_cap(cap_wei))

    async def unlock(self) -> ChainReceipt:
        """Starts the waiting time before a withdrawal; the batcher refuses this user's proofs from now on."""
        return await self._send(self._service.encode_unlock())

    async def lock(self) -> ChainReceipt:
        """Stops the waiting time."""
        return await self._send(self._service.encode_lock())

    async def withdraw(self, amount_wei: int) -> ChainReceipt:
        """Takes unlocked funds out."""
        return await self._send(self._service.encode_withdraw(_positive(amount_wei)))

    async def _send(self, data: bytes, value_wei: int = 0) -> ChainReceipt:
        return await self._own_wallet.send(self._service.address, data, value_wei=value_wei)

    @property
    def _own_wallet(self) -> Wallet:
        if self._wallet is None:
            raise ProtocolError(INVALID_SIGNATURE, "this client has no signer; give one to send transactions")
        return self._wallet


def _positive(amount_wei: int) -> int:
    if amount_wei <= 0:
        raise PaymentError(INSUFFICIENT_BALANCE, f"amount of {amount_wei} wei; it must be positive")
    return amount_wei
