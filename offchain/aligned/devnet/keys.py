"""Key files of the devnet's roles: well-known accounts, encrypted under a random password of this run."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aligned_native import bls_secret_from_seed
from eth_account import Account
from eth_account.signers.local import LocalAccount

from aligned.chain.keys import save_bls
from aligned.core.bls import SecretKey
from aligned.sdk.accounts import devnet_account

# Which account of the development mnemonic does what.
DEPLOYER: Final = 0
BATCHER: Final = 1
AGGREGATOR: Final = 2
PROOF_AGGREGATOR: Final = 3
FIRST_USER: Final = 5
REFERENCE_USER: Final = 9
FIRST_OPERATOR: Final = 10

# The keys are public anyway; production files cost a second of work each to open.
_CHEAP_SCRYPT_N = 2**4
_CHEAP_PBKDF2_ROUNDS = 16


@dataclass(frozen=True, slots=True)
class RoleKeys:
    """Files of one role, and the account itself for set-up transactions."""

    account: LocalAccount
    keystore_file: Path
    password_file: Path
    bls: SecretKey | None = None
    bls_keystore_file: Path | None = None

    @property
    def address(self) -> bytes:
        """20 bytes."""
        return bytes.fromhex(self.account.address[2:])


class KeyFolder:
    """Writes key files into a new folder.

    Args:
        folder: must not hold keys of an earlier run.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._password = secrets.token_hex(16)
        self._password_file = folder / "password"
        _write_private(self._password_file, self._password)

    def ecdsa(self, name: str, number: int) -> RoleKeys:
        """Account `number` for role `name`."""
        account = devnet_account(number)
        keystore = self._folder / f"{name}.ecdsa.json"
        fields = Account.encrypt(account.key, self._password, kdf="pbkdf2", iterations=_CHEAP_PBKDF2_ROUNDS)
        _write_private(keystore, json.dumps(fields))
        return RoleKeys(account, keystore, self._password_file)

    def operator(self, index: int) -> RoleKeys:
        """Account and BLS key of operator `index`."""
        keys = self.ecdsa(f"operator-{index}", FIRST_OPERATOR + index)
        bls = SecretKey(bls_secret_from_seed(b"aligned devnet operator %d" % index + bytes(16)))
        bls_file = self._folder / f"operator-{index}.bls.json"
        save_bls(bls_file, bls.raw, bls.public_keys()[0], self._password, scrypt_n=_CHEAP_SCRYPT_N)
        return RoleKeys(keys.account, keys.keystore_file, keys.password_file, bls, bls_file)


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
