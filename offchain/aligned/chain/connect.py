"""Client and sender as the settings say, ready for a role."""

from __future__ import annotations

from eth_account.signers.local import LocalAccount

from aligned.chain.accounts import DEVNET_CHAIN_ID
from aligned.chain.client import ChainClient
from aligned.chain.fees import Caps
from aligned.chain.sender import TxSender
from aligned.settings import ChainSettings
from aligned.storage.postgres import Database

# Ten slots of the main network.
_MAX_HEAD_AGE_S = 120.0


def chain_client(settings: ChainSettings) -> ChainClient:
    """A client of the chain; use it as an async context manager."""
    return ChainClient(
        settings.rpc_urls,
        settings.chain_id,
        timeout_s=settings.request_timeout_s,
        log_range_blocks=settings.log_range_blocks,
        max_head_age_s=max_head_age_s(settings),
        head_look_s=settings.head_look_s,
    )


def max_head_age_s(settings: ChainSettings) -> float | None:
    """How old a head may be; None on a devnet that mines on demand."""
    if settings.max_head_age_s is None and settings.chain_id != DEVNET_CHAIN_ID:
        return _MAX_HEAD_AGE_S
    return settings.max_head_age_s


def tx_sender(
    settings: ChainSettings,
    db: Database,
    client: ChainClient,
    account: LocalAccount,
    max_blob_fee_gwei: int = 0,
) -> TxSender:
    """The sender of a role's transactions; without `max_blob_fee_gwei` it sends none with blobs."""
    return TxSender(
        db,
        client,
        account,
        confirmations=settings.confirmations,
        bump_after_s=settings.bump_after_s,
        caps=Caps.from_gwei(settings.max_fee_gwei, max_blob_fee_gwei),
    )
