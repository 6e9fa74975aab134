"""Signed transactions of the two types that we send, in the form in which they are broadcast."""

from __future__ import annotations

from typing import Any

from eth_account.signers.local import LocalAccount

from aligned.chain.blob_tx import BLOB_TX_TYPE, network_form
from aligned.chain.fees import Fees
from aligned.chain.kzg import Sidecar

_EIP_1559_TYPE = 2


def sign(
    account: LocalAccount, fields: dict[str, Any], fees: Fees, sidecar: Sidecar | None
) -> tuple[bytes, bytes]:
    """(transaction hash, bytes to broadcast).

    Args:
        fields: all but the type and what concerns blobs.
        sidecar: None for a transaction without blobs.
    """
    if sidecar is None:
        plain = account.sign_transaction(fields | {"type": _EIP_1559_TYPE})
        return bytes(plain.hash), bytes(plain.raw_transaction)
    blob_fields = {
        "type": BLOB_TX_TYPE,
        "maxFeePerBlobGas": fees.blob_fee_wei,
        "blobVersionedHashes": list(sidecar.versioned_hashes),
    }
    signed = account.sign_transaction(fields | blob_fields)
    return bytes(signed.hash), network_form(bytes(signed.raw_transaction), sidecar)
