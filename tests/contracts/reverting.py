"""Why a call is refused: the decoded custom error, also one that another contract further down raised."""

from __future__ import annotations

from typing import Any

import pytest
from ape import networks
from web3.exceptions import ContractCustomError, ContractLogicError

from aligned.chain.abi import decode_error


def revert_of(method: Any, *args: Any, sender: Any, value: int = 0, block: str = "pending") -> str:
    """`Name(arguments)` of the error of a call in the next block (or the newest, `latest`). Fails if there is none."""
    transaction = {
        "from": sender.address,
        "to": method.contract.address,
        "data": method.encode_input(*args),
        "value": value,
        "gas": 5_000_000,
    }
    try:
        networks.provider.web3.eth.call(transaction, block)
    except (ContractCustomError, ContractLogicError) as error:
        data = bytes.fromhex(str(error.data or "0x").removeprefix("0x"))
        return decode_error(data) or f"no known error: {data.hex()}"
    pytest.fail(f"{method} was not refused")
