"""Errors of the chain layer."""

from __future__ import annotations

from aligned.chain.abi import decode_error
from aligned.core.errors import AlignedError

TX_REVERTED = "tx_reverted"
TX_KEY_REUSED = "tx_key_reused"
TX_TIMEOUT = "tx_timeout"
INSUFFICIENT_FUNDS = "insufficient_funds"
FEES_ABOVE_CAP = "fees_above_cap"
TX_CANCELLED_FEES = "tx_cancelled_fees"
WRONG_CHAIN = "wrong_chain"


class TxReverted(AlignedError):
    """A call or transaction that the contract refuses.

    Attributes:
        reason: decoded custom error with its arguments, revert string, or the raw data in hex.
        error_name: only the custom error's name, "" if unknown.
        tx_hash: of the mined transaction; None when a simulation refused it and nothing was sent.
    """

    def __init__(self, reason: str, *, error_name: str = "", tx_hash: bytes | None = None) -> None:
        super().__init__(TX_REVERTED, reason)
        self.reason = reason
        self.error_name = error_name
        self.tx_hash = tx_hash

    @classmethod
    def from_data(cls, data: bytes, message: str = "", tx_hash: bytes | None = None) -> TxReverted:
        """Decodes revert data; falls back to the node's message."""
        decoded = decode_error(data) if data else None
        reason = decoded or message or ("0x" + data.hex() if data else "reverted without a reason")
        return cls(reason, error_name=(decoded or "").partition("(")[0], tx_hash=tx_hash)


class TxCancelled(AlignedError):
    """A request that was given up because the chain asked for more than it may offer; its key is free again.

    Attributes:
        key: of the request.
        tx_hash: of the mined cancel; None when a transaction that is not ours used the nonce up.
        fee_wei: what the cancel cost.
    """

    def __init__(self, key: str, tx_hash: bytes | None, fee_wei: int) -> None:
        super().__init__(
            TX_CANCELLED_FEES,
            f"{key} was cancelled: the chain asked for more than it may offer; send it when gas is cheaper",
        )
        self.key = key
        self.tx_hash = tx_hash
        self.fee_wei = fee_wei
