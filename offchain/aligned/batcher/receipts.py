"""Signed receipts: the batcher's promise for an accepted proof."""

from __future__ import annotations

from eth_account.signers.local import LocalAccount

from aligned.core.eip712 import receipt_digest
from aligned.core.signing import sign_digest


class ReceiptSigner:
    """Signs with the batcher's account, so that anyone can hold `batcherWallet` of the contract to it."""

    def __init__(self, account: LocalAccount, chain_id: int, payment_service: bytes) -> None:
        self._key = bytes(account.key)
        self._chain_id = chain_id
        self._payment_service = payment_service
        self.address = bytes.fromhex(account.address[2:])

    def sign(self, leaf: bytes, sender: bytes, nonce: int, deadline_s: int) -> bytes:
        """65 bytes r ‖ s ‖ v over `core.eip712.receipt_digest`."""
        digest = receipt_digest(leaf, sender, nonce, deadline_s, self._chain_id, self._payment_service)
        return sign_digest(self._key, digest)
