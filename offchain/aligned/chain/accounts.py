"""The keys that the settings name: encrypted keystores, or plain ones on the devnet's chain id only."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from pydantic import SecretStr

from aligned.chain.keys import load_bls, load_ecdsa, read_password
from aligned.core.bls import SecretKey
from aligned.core.errors import ProtocolError
from aligned.settings import INVALID_SETTINGS, KeySettings, OperatorSettings

DEVNET_CHAIN_ID: Final = 31_337


def role_account(keys: KeySettings, chain_id: int) -> LocalAccount:
    """The role's account.

    Raises:
        ProtocolError: invalid_settings (none given, or a plain key off the devnet), invalid_keystore, wrong_password.
    """
    if keys.keystore_file is not None:
        return load_ecdsa(keys.keystore_file, _password(keys.password, keys.password_file))
    account: LocalAccount = Account.from_key(_plain("keystore_file", keys.devnet_private_key, chain_id))
    return account


def operator_bls_key(settings: OperatorSettings, chain_id: int) -> SecretKey:
    """The operator's BLS key.

    Raises:
        ProtocolError: as `role_account`.
    """
    if settings.bls_keystore_file is not None:
        password = _password(settings.bls_password, settings.bls_password_file)
        return SecretKey(load_bls(settings.bls_keystore_file, password))
    return SecretKey(_plain("bls_keystore_file", settings.devnet_bls_secret, chain_id))


def _password(password: SecretStr | None, file: Path | None) -> str:
    return read_password(file) if password is None else password.get_secret_value()


def _plain(field: str, secret: SecretStr | None, chain_id: int) -> bytes:
    if secret is None:
        raise ProtocolError(INVALID_SETTINGS, f"{field} is not set")
    if chain_id != DEVNET_CHAIN_ID:
        raise ProtocolError(
            INVALID_SETTINGS, f"a plain key on chain {chain_id}: only the devnet takes one; set {field}"
        )
    try:
        raw = bytes.fromhex(secret.get_secret_value().removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise ProtocolError(INVALID_SETTINGS, "a plain key is 32 bytes in hex")
    return raw
