"""What to do about an error, where its message alone does not say it: the next command, or what to look at."""

from __future__ import annotations

from typing import Final

from aligned.chain.errors import INSUFFICIENT_FUNDS, TX_REVERTED, WRONG_CHAIN, TxReverted
from aligned.core import errors
from aligned.core.errors import AlignedError

_BY_CODE: Final = {
    errors.CHAIN_UNAVAILABLE: "is a node running at that URL? `make devnet` starts one on port 8545; --rpc-url"
    " names another",
    "batcher_unavailable": "is a batcher running at that URL? --batcher-url names another",
    "gateway_unavailable": "is a gateway running at that URL? --gateway-url names another",
    WRONG_CHAIN: "--network and --rpc-url must be of one chain",
    INSUFFICIENT_FUNDS: "send ether to the account that signs, or sign with another one",
    errors.INSUFFICIENT_BALANCE: "`aligned deposit 0.1ether` pays in; `aligned balance ADDRESS` shows what is there",
    errors.FUNDS_UNLOCKED: "`aligned lock` makes the deposit usable again",
    errors.FEE_TOO_LOW: "leave --max-fee out, or take what `aligned estimate-fee` says",
    errors.NONCE_TOO_HIGH: "leave --nonce out, or take what `aligned nonce ADDRESS` says",
    errors.NONCE_USED: "leave --nonce out, or take what `aligned nonce ADDRESS` says",
    errors.INVALID_PAYMENT_SERVICE: "the batcher works with another deployment: compare --network and --batcher-url",
    errors.INVALID_CHAIN_ID: "the service works on another chain: compare --network and the URL",
    errors.MISSING_KEY: "give the key: --vk for SP1 and Circom, --program for RISC0",
    errors.MISSING_PUBLIC_INPUT: "give the public values: --public-input",
    "payment_required": "`aligned aggregation deposit` pays for a period",
    "quota_exhausted": "`aligned aggregation deposit` adds to the quota; `aligned aggregation quota ADDRESS` shows it",
    "wrong_password": "--password-file names a file with the password on its first line",
    "database_unavailable": "is PostgreSQL running? database.url or database.url_file in the settings says where",
}
_BY_REVERT: Final = {
    "FundsLocked": "run `aligned unlock`, wait until the time that `aligned balance ADDRESS` shows, then withdraw",
    "CapLocked": "run `aligned unlock` and wait until the time that `aligned balance ADDRESS` shows; raising the cap"
    " works at once",
    "InsufficientBalance": "`aligned balance ADDRESS` shows what is there",
    "BatchAlreadySubmitted": "this very batch was posted before by this account; nothing was paid again",
}


def advice(error: AlignedError) -> str | None:
    """The next step, None where the message says it or nobody knows one."""
    if error.code == TX_REVERTED and isinstance(error, TxReverted):
        return _BY_REVERT.get(error.error_name)
    return _BY_CODE.get(error.code)
