"""Our codec against eth-abi's and web3's own reading of the same ABIs."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from eth_abi import encode
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st
from web3 import Web3

from aligned.chain.abi import contract_abi, decode_error, load_abi
from aligned.chain.errors import TxReverted
from aligned.core.errors import InvariantError, ProtocolError

NAMES = ("AlignedLayerServiceManager", "BatcherPaymentService", "OperatorRegistry")


@pytest.mark.parametrize("name", NAMES)
def test_selectors__every_function_and_error__as_web3_computes_them(name: str) -> None:
    ours = contract_abi(name)
    theirs = Web3().eth.contract(abi=load_abi(name))
    for function in ours.functions.values():
        found = theirs.get_function_by_selector(function.selector)
        assert found.fn_name == function.name
    for event in ours.events.values():
        assert theirs.get_event_by_topic(Web3.to_hex(event.topic)).event_name == event.name
    assert all(len(selector) == 4 for selector in ours.errors)


def test_load_abi__unknown_name__is_refused() -> None:
    for name in ("Nothing", "../keys", ""):
        with pytest.raises(InvariantError, match="unknown_abi"):
            load_abi(name)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (keccak(text="BatchDoesNotExist(bytes32)")[:4] + b"\xab" * 32, f"BatchDoesNotExist(0x{'ab' * 32})"),
        (keccak(text="FeeTooLow(uint256,uint256)")[:4] + encode(["uint256", "uint256"], [1, 2]), "FeeTooLow(1, 2)"),
        (keccak(text="PayerInsufficientBalance(uint256,uint256)")[:4] + encode(["uint256"] * 2, [1, 2]),
         "PayerInsufficientBalance(1, 2)"),
        (keccak(text="Error(string)")[:4] + encode(["string"], ["no"]), "Error(no)"),
        (keccak(text="Panic(uint256)")[:4] + encode(["uint256"], [17]), "Panic(17)"),
        (keccak(text="BatchDoesNotExist(bytes32)")[:4], "BatchDoesNotExist"),
        (keccak(text="Error(string)")[:4] + b"\xff" * 64, "Error"),
        (b"\x01\x02\x03\x04", None),
        (b"\x01", None),
        (b"", None),
    ],
)  # fmt: skip
def test_decode_error__revert_data__name_and_arguments(data: bytes, text: str | None) -> None:
    assert decode_error(data) == text


@given(st.binary(max_size=200))
def test_decode_error__any_bytes__never_raises(data: bytes) -> None:
    for selector in (
        b"",
        *list(contract_abi("AlignedLayerServiceManager").errors)[:5],
        bytes.fromhex("08c379a0"),
    ):
        found = decode_error(selector + data)
        assert found is None or found[0].isalpha()


def test_tx_reverted__unknown_data__falls_back_to_message_then_hex() -> None:
    assert TxReverted.from_data(b"\x01\x02\x03\x04", "execution reverted").reason == "execution reverted"
    assert TxReverted.from_data(b"\x01\x02\x03\x04").reason == "0x01020304"
    assert TxReverted.from_data(b"").reason == "reverted without a reason"
    assert TxReverted.from_data(b"").error_name == ""


def _new_batch(**changes: Any) -> tuple[list[bytes], bytes]:
    event = contract_abi("AlignedLayerServiceManager").events["NewBatchV3"]
    values = {"pointer": "https://x/y", "task": 7} | changes
    types = ["address", "uint32", "string", "uint256"]
    return [event.topic, b"\x01" * 32], encode(types, [b"\x02" * 20, values["task"], values["pointer"], 9])


def test_event__decoded__indexed_and_plain_arguments_by_name() -> None:
    event = contract_abi("AlignedLayerServiceManager").events["NewBatchV3"]
    fields = event.decode(*_new_batch())
    assert fields["batchMerkleRoot"] == b"\x01" * 32
    assert (fields["taskCreatedBlock"], fields["batchDataPointer"], fields["respondToTaskFeeLimit"]) == (
        7,
        "https://x/y",
        9,
    )


@given(st.binary(max_size=300))
def test_event__any_data__decoded_or_refused(data: bytes) -> None:
    event = contract_abi("AlignedLayerServiceManager").events["NewBatchV3"]
    with suppress(ProtocolError):
        event.decode(_new_batch()[0], data)


@pytest.mark.parametrize("topics", [[], [b"\x00" * 32], [b"\x00" * 32, b"\x01" * 32], "missing", "extra"])
def test_event__topics_of_another_event__are_refused(topics: Any) -> None:
    event = contract_abi("AlignedLayerServiceManager").events["NewBatchV3"]
    given_topics, data = _new_batch()
    if topics == "missing":
        topics = given_topics[:1]
    elif topics == "extra":
        topics = [*given_topics, b"\x00" * 32]
    with pytest.raises(ProtocolError, match="malformed_abi"):
        event.decode(topics, data)


@pytest.mark.parametrize(
    ("written", "read"), [(b"\xff\xfea\xfd", "\ufffd\ufffda\ufffd"), (b"a\x00bc", "a\ufffdbc")]
)
def test_event__pointer_with_bytes_that_are_no_text__is_readable(written: bytes, read: str) -> None:
    event = contract_abi("AlignedLayerServiceManager").events["NewBatchV3"]
    topics, data = _new_batch(pointer="zzzz")
    assert event.decode(topics, data.replace(b"zzzz", written))["batchDataPointer"] == read
