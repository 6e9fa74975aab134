"""What an Ethereum keystore may say: looked at before a password is tried, so that damage is not taken for one."""

from __future__ import annotations

import re
from typing import Any, Final

VERSION: Final = 3
_CIPHER: Final = "aes-128-ctr"
_PRF: Final = "hmac-sha256"
# A hostile file must take neither the memory (128·N·r bytes) nor the time (N·r·p) of this machine. geth's own is
# 256 MiB; its light form has p = 6.
_MAX_SCRYPT_BYTES: Final = 512 * 1024 * 1024
_MAX_SCRYPT_WORK: Final = 2**23
_MAX_SCRYPT_P: Final = 16
_MAX_ROUNDS: Final = 10_000_000
_DERIVED_BYTES: Final = range(32, 65)
# Python's own reading skips spaces and line ends, that of the library which opens the file does not.
_HEX: Final = re.compile(r"(0x)?([0-9a-fA-F]{2})*")


def check_keystore(fields: dict[str, Any]) -> None:
    """Looks at every field that opening the keystore uses.

    Raises:
        ValueError, TypeError: what is wrong, and what was expected.
    """
    if _int(fields, "version") != VERSION:
        raise ValueError(f"version {fields['version']}, expected {VERSION}")
    crypto = _object({name.lower(): value for name, value in fields.items()}, "crypto")
    if crypto.get("cipher") != _CIPHER:
        raise ValueError(f"cipher {_shown(crypto.get('cipher'))}, expected {_CIPHER}")
    _hex(_object(crypto, "cipherparams"), "iv", 16)
    _hex(crypto, "ciphertext", 32)
    _hex(crypto, "mac", 32)
    _check_derivation(crypto.get("kdf"), _object(crypto, "kdfparams"))


def _check_derivation(kdf: object, params: dict[str, Any]) -> None:
    _hex(params, "salt")
    if _int(params, "dklen") not in _DERIVED_BYTES:
        raise ValueError(f"dklen {params['dklen']}, expected 32 to 64")
    if kdf == "scrypt":
        check_scrypt(_int(params, "n"), _int(params, "r"), _int(params, "p"))
    elif kdf == "pbkdf2":
        if params.get("prf") != _PRF:
            raise ValueError(f"prf {_shown(params.get('prf'))}, expected {_PRF}")
        if not 0 < _int(params, "c") <= _MAX_ROUNDS:
            raise ValueError(f"c {params['c']}, expected 1 to {_MAX_ROUNDS}")
    else:
        raise ValueError(f"kdf {_shown(kdf)}, expected scrypt or pbkdf2")


def check_scrypt(n: int, r: int, p: int) -> None:
    """Bounds of the costs of scrypt.

    Raises:
        ValueError: a cost that scrypt does not allow, or that would take too much memory or time.
    """
    if n < 2 or n & (n - 1):
        raise ValueError(f"scrypt n = {n}, expected a power of two")
    if r < 1 or p < 1:
        raise ValueError(f"scrypt r = {r} and p = {p}, expected at least 1")
    if 128 * n * r > _MAX_SCRYPT_BYTES or n * r * p > _MAX_SCRYPT_WORK or p > _MAX_SCRYPT_P:
        raise ValueError(f"scrypt n = {n}, r = {r}, p = {p} would take too much memory or time")


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise TypeError(f"{name} is missing or no object")
    return value


def _int(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is missing or no whole number")
    return value


def _hex(fields: dict[str, Any], name: str, length: int | None = None) -> None:
    value = fields.get(name)
    if not isinstance(value, str):
        raise TypeError(f"{name} is missing or no text")
    if _HEX.fullmatch(value) is None:
        raise ValueError(f"{name} is no hex text of whole bytes")
    raw = bytes.fromhex(value.removeprefix("0x"))
    if length is not None and len(raw) != length:
        raise ValueError(f"{name} has {len(raw)} bytes, expected {length}")


def _shown(value: object) -> str:
    return repr(value)[:40]
