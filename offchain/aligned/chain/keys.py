"""Key files: Ethereum keystores for ECDSA (the form that Ape, geth and cast use) and one of the same build for BLS.

The BLS file is EIP-2335-like: scrypt, AES-128-CTR and a checksum, plus the field "curve", because EIP-2335 itself
means BLS12-381 keys.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import unicodedata
import uuid
from pathlib import Path
from typing import Any

from Crypto.Cipher import AES
from eth_account import Account
from eth_account.signers.local import LocalAccount

from aligned.chain.keystore import check_keystore, check_scrypt
from aligned.core.errors import ProtocolError
from aligned.core.text import decode_text

INVALID_KEYSTORE = "invalid_keystore"
WRONG_PASSWORD = "wrong_password"  # noqa: S105 - an error code
CURVE = "bn254"
_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617
_VERSION = 1
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**17, 8, 1
# What OpenSSL may allocate; `check_scrypt` bounds what a file may ask for.
_MAX_SCRYPT_BYTES = 512 * 1024 * 1024
_MAX_FILE_BYTES = 65_536


def read_password(path: Path | None, env_name: str | None = None) -> str:
    """The first line of a file, or an environment variable when there is no file.

    Raises:
        ProtocolError: wrong_password when neither is there; not_utf8 for a file in another encoding.
    """
    if path is not None:
        try:
            return decode_text(path.read_bytes(), str(path)).splitlines()[0]
        except (OSError, IndexError) as error:
            raise ProtocolError(WRONG_PASSWORD, f"no password in {path}") from error
    value = os.environ.get(env_name or "", "")
    if not value:
        raise ProtocolError(WRONG_PASSWORD, f"neither a password file nor ${env_name} is set")
    return value


def load_ecdsa(keystore_path: Path, password: str) -> LocalAccount:
    """The account of an Ethereum keystore file.

    Raises:
        ProtocolError: invalid_keystore, wrong_password.
    """
    fields = _read_json(keystore_path)
    try:
        check_keystore(fields)
    except (TypeError, ValueError) as error:
        raise ProtocolError(INVALID_KEYSTORE, f"{keystore_path}: {error}") from None
    try:
        secret = Account.decrypt(fields, password)
    except ValueError:
        raise ProtocolError(WRONG_PASSWORD, f"{keystore_path} does not open with this password") from None
    try:
        account: LocalAccount = Account.from_key(secret)
    except ValueError:
        raise ProtocolError(INVALID_KEYSTORE, f"{keystore_path}: what is in it is no private key") from None
    _check_address(keystore_path, fields.get("address"), account)
    return account


def _check_address(path: Path, named: object, account: LocalAccount) -> None:
    """Many files name their account, and whoever reads the name must not be misled."""
    own = account.address.removeprefix("0x").lower()
    if isinstance(named, str) and named and named.lower().removeprefix("0x") != own:
        raise ProtocolError(
            INVALID_KEYSTORE,
            f"{path} names the account {named[:42]}, its key is that of 0x{own}: expected one account",
        )


def save_ecdsa(keystore_path: Path, secret: bytes, password: str) -> str:
    """Writes an Ethereum keystore, mode 0600; never overwrites.

    Returns:
        The account's address.
    """
    _write_new(keystore_path, Account.encrypt(secret, password))
    return str(Account.from_key(secret).address)


def save_bls(
    keystore_path: Path, secret: bytes, public_key_g1: bytes, password: str, *, scrypt_n: int = _SCRYPT_N
) -> None:
    """Writes a BLS keystore, mode 0600; never overwrites.

    Args:
        secret: 32 bytes big-endian.
        public_key_g1: 64 bytes; in the clear, so that the file says whose key it is.
    """
    _check_secret(secret)
    salt, iv = os.urandom(32), os.urandom(16)
    derived = _derive(password, salt, scrypt_n, _SCRYPT_R, _SCRYPT_P)
    message = _aes_ctr(derived, iv, secret)
    kdf = {"dklen": 32, "n": scrypt_n, "r": _SCRYPT_R, "p": _SCRYPT_P, "salt": salt.hex()}
    crypto = {
        "kdf": {"function": "scrypt", "params": kdf, "message": ""},
        "checksum": {"function": "sha256", "params": {}, "message": _checksum(derived, message).hex()},
        "cipher": {"function": "aes-128-ctr", "params": {"iv": iv.hex()}, "message": message.hex()},
    }
    fields = {"version": _VERSION, "curve": CURVE, "uuid": str(uuid.uuid4()), "pubkey": public_key_g1.hex()}
    _write_new(keystore_path, {"crypto": crypto, **fields})


def load_bls(keystore_path: Path, password: str) -> bytes:
    """The 32-byte secret of a BLS keystore.

    Raises:
        ProtocolError: invalid_keystore, wrong_password.
    """
    fields = _read_json(keystore_path)
    try:
        derived, iv, message, checksum = _open(fields, password)
    except KeyError as error:
        raise ProtocolError(INVALID_KEYSTORE, f"{keystore_path}: field {error} is missing") from None
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ProtocolError(INVALID_KEYSTORE, f"{keystore_path}: {error}") from None
    if not hmac.compare_digest(_checksum(derived, message), checksum):
        raise ProtocolError(WRONG_PASSWORD, f"{keystore_path} does not open with this password")
    secret = _aes_ctr(derived, iv, message)
    _check_secret(secret)
    return secret


def _open(fields: dict[str, Any], password: str) -> tuple[bytes, bytes, bytes, bytes]:
    if (fields["version"], fields["curve"]) != (_VERSION, CURVE):
        raise ValueError(
            f"version {fields['version']} and curve {fields['curve']}, expected {_VERSION} and {CURVE}"
        )
    crypto = fields["crypto"]
    functions = [crypto[part]["function"] for part in ("kdf", "checksum", "cipher")]
    if functions != ["scrypt", "sha256", "aes-128-ctr"]:
        raise ValueError(f"unsupported functions {functions}")
    params = crypto["kdf"]["params"]
    n, r, p = int(params["n"]), int(params["r"]), int(params["p"])
    check_scrypt(n, r, p)
    derived = _derive(password, bytes.fromhex(params["salt"]), n, r, p)
    cipher = crypto["cipher"]
    iv, message = bytes.fromhex(cipher["params"]["iv"]), bytes.fromhex(cipher["message"])
    if len(iv) != 16 or len(message) != 32:
        raise ValueError("iv is not 16 bytes or the secret is not 32 bytes")
    if len(checksum := bytes.fromhex(crypto["checksum"]["message"])) != 32:
        raise ValueError(f"checksum has {len(checksum)} bytes, expected 32")
    return derived, iv, message, checksum


def _derive(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    normalised = unicodedata.normalize("NFKD", password)
    # EIP-2335: control characters (a pasted line end) are no part of a password.
    cleaned = "".join(char for char in normalised if unicodedata.category(char) != "Cc")
    return hashlib.scrypt(cleaned.encode(), salt=salt, n=n, r=r, p=p, maxmem=2 * _MAX_SCRYPT_BYTES, dklen=32)


def _aes_ctr(derived: bytes, iv: bytes, data: bytes) -> bytes:
    return AES.new(derived[:16], AES.MODE_CTR, initial_value=iv, nonce=b"").encrypt(data)


def _checksum(derived: bytes, message: bytes) -> bytes:
    return hashlib.sha256(derived[16:32] + message).digest()


def _check_secret(secret: bytes) -> None:
    if len(secret) != 32 or not 0 < int.from_bytes(secret) < _ORDER:
        raise ProtocolError(INVALID_KEYSTORE, "secret is not 32 bytes between 1 and the group order")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise ProtocolError(INVALID_KEYSTORE, f"{path}: longer than {_MAX_FILE_BYTES} bytes")
        fields = json.loads(decode_text(path.read_bytes(), str(path)))
    except OSError as error:
        raise ProtocolError(INVALID_KEYSTORE, f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ProtocolError(INVALID_KEYSTORE, f"{path}: no JSON ({error})") from error
    if not isinstance(fields, dict):
        raise ProtocolError(INVALID_KEYSTORE, f"{path}: no JSON object")
    return fields


def _write_new(path: Path, fields: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # O_EXCL: neither overwrites a key nor follows a link; the mode is right from the first byte on.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(json.dumps(fields, indent=2) + "\n")
