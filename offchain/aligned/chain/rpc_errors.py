"""What nodes answer instead of a result, sorted by what it means for us."""

from __future__ import annotations

from typing import Any

from aligned.chain.errors import TxReverted
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError

METHOD_MISSING = -32601
INVALID_PARAMS = -32602
_REVERTED = 3
_TOO_MANY_REQUESTS = 429
# Only these run code and nothing else. Elsewhere the word "revert" in a text is no answer of a contract: a node that
# tries a transaction before it passes it on refuses it, and another one may have mined it since.
_EXECUTING = frozenset({"eth_call", "eth_estimateGas"})
_KNOWN_WORDS = ("already known", "already imported", "known transaction", "already exists", "alreadyknown")


class RpcError(DependencyError):
    """A node answered with an error that is not a revert.

    Attributes:
        rpc_code: JSON-RPC code; 0 when the answer was no JSON-RPC.
        status: HTTP status.
        retry_after_s: how long the node asks to be left alone, when it says so.
    """

    def __init__(
        self, rpc_code: int, message: str, *, status: int = 200, retry_after_s: float | None = None
    ) -> None:
        super().__init__(CHAIN_UNAVAILABLE, f"{message} (JSON-RPC code {rpc_code})" if rpc_code else message)
        self.rpc_code = rpc_code
        self.text = message.lower()
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def asks_to_wait(self) -> bool:
        """Whether the node means the number of our requests, whatever they ask for."""
        return self.status == _TOO_MANY_REQUESTS or self.retry_after_s is not None

    @property
    def is_known_transaction(self) -> bool:
        """Whether a broadcast was needless: the node has the transaction."""
        return any(words in self.text for words in _KNOWN_WORDS)


def fault_of(method: str, fault: Any, status: int, retry_after_s: float | None) -> Exception:
    """The error of a JSON-RPC answer: TxReverted, else RpcError."""
    fields = fault if isinstance(fault, dict) else {"message": str(fault)}
    message, code = str(fields.get("message", ""))[:500], fields.get("code")
    if method in _EXECUTING and (code == _REVERTED or "revert" in message.lower()):
        return TxReverted.from_data(_revert_data(fields.get("data")), message)
    number = code if isinstance(code, int) else 0
    return RpcError(number, message, status=status, retry_after_s=retry_after_s)


def _revert_data(data: Any) -> bytes:
    nested = data.get("data") if isinstance(data, dict) else data
    text = nested.removeprefix("0x") if isinstance(nested, str) else ""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
