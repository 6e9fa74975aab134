"""Holes around refunds: what a transaction costs once is refunded once, however many calls a contract makes in it."""

from __future__ import annotations

from typing import Any

import pytest
from payment_helper import charge, deposit_more, price
from quorum_helper import FEE_WEI, POINTER, sign_task

CALLS = 10
REWARD_PERCENT = 120
# Calls the address in the first word with each item of the rest (its length in a word, then the calldata) in turn.
CALLER_CODE = (
    "6020"  # position of the first item
    "5b368110600a5700"  # while position < calldatasize
    "5b8035"  # length
    "80826020015f37"  # calldatacopy(0, position + 32, length)
    "5f5f825f5f5f355af1"  # call(gas, target, 0, 0, length, 0, 0)
    "6023575f5ffd"  # all or nothing
    "5b01602001600256"  # position += length + 32
)


@pytest.fixture
def caller(accounts, web3):
    """A contract that makes many calls in one transaction, as a sender that tests may also impersonate."""
    address = "0x" + "c0" * 20
    web3.provider.make_request("anvil_setCode", [address, "0x" + CALLER_CODE])
    web3.provider.make_request("anvil_setBalance", [address, hex(10**18)])
    return accounts[address]


def send_all(sender: Any, caller: Any, target: Any, calls: list[bytes], **options: Any) -> Any:
    items = b"".join(len(call).to_bytes(32, "big") + bytes(call) for call in calls)
    data = bytes.fromhex(target.address[2:]).rjust(32, b"\0") + items
    return sender.transfer(caller, 0, data=data, **options)


def test_answers__ten_in_one_transaction__paid_less_than_they_cost(
    service_manager, registry, members, user, responder, caller, chain, web3
):
    """Ten times 21,000 gas and ten first touches would be a profit."""
    service_manager.depositToBatcher(caller, value=1, sender=responder)
    roots = [bytes([i]) * 32 for i in range(1, CALLS + 1)]
    for root in roots:
        service_manager.createNewTask(root, POINTER, FEE_WEI, value=FEE_WEI, sender=user)
    chain.mine(1)
    calls = []
    for root in roots:
        answer = sign_task(service_manager, registry, root, user.address, members)
        calls.append(service_manager.respondToTask.encode_input(root, user, answer.abi()))
    receipt = send_all(responder, caller, service_manager, calls, **price(web3))
    events = receipt.decode_logs(service_manager.ResponsePaid)
    paid, cost = sum(event.paidWei for event in events), receipt.gas_used * receipt.gas_price
    assert len(events) == CALLS
    assert cost * 90 // 100 <= paid <= cost


def test_batches__ten_in_one_transaction__reward_within_the_bound(
    payment_service, owner, batcher, users, responder, caller, web3
):
    deposit_more(payment_service, users)
    charge(payment_service, batcher, users, root=b"\xee" * 32)
    payment_service.proposeBatcher(caller, sender=owner)
    payment_service.acceptBatcher(sender=caller)
    before, fee = payment_service.batcherEarnings(), payment_service.DEFAULT_FEE_CAP()
    calls = [
        payment_service.createNewTask.encode_input(
            bytes([i]) * 32, POINTER, users, FEE_WEI // 10, fee, FEE_WEI // 10
        )
        for i in range(1, CALLS + 1)
    ]
    receipt = send_all(responder, caller, payment_service, calls, **price(web3))
    reward = payment_service.batcherEarnings() - before
    bound = receipt.gas_used * receipt.gas_price * REWARD_PERCENT // 100
    assert len(receipt.decode_logs(payment_service.TaskFunded)) == CALLS
    assert bound * 90 // 100 <= reward <= bound
