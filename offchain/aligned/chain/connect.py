"""Client and sender as the settings say, ready for a role."""

from __future__ import annotations

from eth_account.signers.local import LocalAccount

from aligned.chain.client import ChainClient
from aligned.chain.fees import Caps
from aligned.chain.sender import TxSender
from aligned.settings import ChainSettings
from aligned.storage.postgres import Database


def chain_client(settings: ChainSettings) -> ChainClient:
    """A client of the chain; use it as an async context manager."""
    return ChainClient(
        settings.rpc_urls,
        settings.chain_id,
        timeout_s=settings.request_timeout_s,
        log_range_blocks=settings.log_range_blocks,
    )


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
