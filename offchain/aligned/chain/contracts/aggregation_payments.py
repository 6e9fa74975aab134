"""AggregationModePaymentService: subscriptions of aggregation mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aligned.chain.client import BlockId
from aligned.chain.contracts.bound import BoundContract
from aligned.chain.deployment import address_bytes
from aligned.chain.types import LogEntry


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """What one payment costs and buys."""

    price_wei: int
    proofs: int
    period_s: int
    max_ahead_s: int


@dataclass(frozen=True, slots=True)
class UserPayment:
    """UserPayment: `user` may use `proofs` proofs in [valid_from, valid_until), Unix seconds."""

    user: bytes
    payer: bytes
    amount_wei: int
    proofs: int
    valid_from: int
    valid_until: int
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class QuotaGrant:
    """QuotaGranted: the same without a payment."""

    user: bytes
    proofs: int
    valid_from: int
    valid_until: int
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int


class AggregationPayments(BoundContract):
    """AggregationModePaymentService."""

    abi_name = "AggregationModePaymentService"

    async def terms(self, block: BlockId = "latest") -> PaymentTerms:
        """Terms of the next payment."""
        return PaymentTerms(
            price_wei=int(await self._call("amountToPayInWei", block=block)),
            proofs=int(await self._call("proofsPerPeriod", block=block)),
            period_s=int(await self._call("paymentExpirationTimeSeconds", block=block)),
            max_ahead_s=int(await self._call("maxSubscriptionTimeAhead", block=block)),
        )

    async def expiry(self, user: bytes, block: BlockId = "latest") -> int:
        """When what was paid for `user` ends (Unix seconds), 0 if nobody ever paid."""
        return int(await self._call("subscribedAddresses", user, block=block))

    async def funds_recipient(self, block: BlockId = "latest") -> bytes:
        """Who gets the money."""
        return address_bytes(await self._call("paymentFundsRecipient", block=block))

    async def intake_paused(self, block: BlockId = "latest") -> bool:
        """Whether only renewals are accepted."""
        return bool(await self._call("intakePaused", block=block))

    def encode_deposit(self, beneficiary: bytes) -> bytes:
        """Calldata of deposit on whatever the terms are; send at least the price."""
        return self._encode("deposit(address)", beneficiary)

    def encode_deposit_on_terms(self, beneficiary: bytes, min_proofs: int, min_period_s: int) -> bytes:
        """Calldata of deposit that reverts if it would buy less than this."""
        return self._encode("deposit(address,uint256,uint256)", beneficiary, min_proofs, min_period_s)

    def encode_withdraw(self) -> bytes:
        """Calldata of withdraw."""
        return self._encode("withdraw")

    def encode_grant(self, users: Sequence[bytes], proofs: int, valid_until: int) -> bytes:
        """Calldata of grant; `valid_until` in Unix seconds."""
        return self._encode("grant", list(users), proofs, valid_until)

    def encode_set_terms(self, terms: PaymentTerms) -> bytes:
        """Calldata of setTerms."""
        return self._encode("setTerms", terms.price_wei, terms.proofs, terms.period_s, terms.max_ahead_s)

    def parse_user_payment(self, log: LogEntry) -> UserPayment:
        """Decodes UserPayment.

        Raises:
            ProtocolError: malformed_abi.
        """
        fields = self._decode("UserPayment", log)
        return UserPayment(
            user=address_bytes(fields["user"]),
            payer=address_bytes(fields["payer"]),
            amount_wei=fields["amountWei"],
            proofs=fields["proofs"],
            valid_from=fields["validFrom"],
            valid_until=fields["validUntil"],
            block_number=log.block_number,
            block_hash=log.block_hash,
            tx_hash=log.tx_hash,
            log_index=log.log_index,
        )

    def parse_quota_grant(self, log: LogEntry) -> QuotaGrant:
        """Decodes QuotaGranted.

        Raises:
            ProtocolError: malformed_abi.
        """
        fields = self._decode("QuotaGranted", log)
        return QuotaGrant(
            user=address_bytes(fields["user"]),
            proofs=fields["proofs"],
            valid_from=fields["validFrom"],
            valid_until=fields["validUntil"],
            block_number=log.block_number,
            block_hash=log.block_hash,
            tx_hash=log.tx_hash,
            log_index=log.log_index,
        )
