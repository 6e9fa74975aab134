"""The accounts that every anvil knows. Their keys are public: for chain id 31337 only."""

from __future__ import annotations

from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount

DEVNET_MNEMONIC: Final = "test test test test test test test test test test test junk"


def devnet_account(number: int) -> LocalAccount:
    """Account `number` of the development mnemonic (path m/44'/60'/0'/0/number)."""
    Account.enable_unaudited_hdwallet_features()
    account: LocalAccount = Account.from_mnemonic(DEVNET_MNEMONIC, account_path=f"m/44'/60'/0'/0/{number}")
    return account
