"""The wrappers against web3's codec: what they send, and what they make of answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from eth_abi import encode
from web3 import Web3

from aligned.chain.contracts import BatchStatus, OperatorRegistry, PaymentService, ServiceManager
from aligned.core import bls
from aligned.core.errors import ProtocolError
from aligned.core.quorum import QuorumSignature
from tests.unit.chain.contract_answers import Answers, client, log, web3_calldata

ROOT, SENDER, ADDRESS = b"\x11" * 32, b"\x22" * 20, "0x" + "Ab" * 20
G1_WORDS = (1, 2)
G2_WORDS = ((3, 4), (5, 6))


NO_CLIENT = client([])


QUORUM = QuorumSignature(
    snapshot_index=5,
    aggregate_key=bls.g1_bytes((7, 8)),
    signers_key_g2=bls.g2_bytes(G2_WORDS),
    signature=bls.g1_bytes((9, 10)),
    witness=bls.HashWitness(11, (12, 13)),
    non_signers=((bls.g1_bytes((14, 15)), 16),),
)
QUORUM_ABI = (5, (7, 8), ([3, 4], [5, 6]), (9, 10), (11, [12, 13]), [((14, 15), 16)])
HEX_SENDER = Web3.to_checksum_address("0x" + SENDER.hex())


@pytest.mark.parametrize(
    ("encoded", "fn", "args"),
    [
        (lambda c: c.encode_create_new_task(ROOT, "p", 3), "createNewTask", (ROOT, "p", 3)),
        (
            lambda c: c.encode_respond_to_task(ROOT, SENDER, QUORUM),
            "respondToTask",
            (ROOT, HEX_SENDER, QUORUM_ABI),
        ),
        (lambda c: c.encode_reclaim(ROOT), "reclaim", (ROOT,)),
        (lambda c: c.encode_deposit(SENDER), "depositToBatcher", (HEX_SENDER,)),
        (lambda c: c.encode_withdraw(4), "withdraw", (4,)),
        (lambda c: c.encode_set_disabled_verifiers(4), "setDisabledVerifiers", (4,)),
    ],
)
def test_service_manager__calldata__as_web3_encodes_it(
    encoded: Callable[[ServiceManager], bytes], fn: str, args: tuple[object, ...]
) -> None:
    assert encoded(ServiceManager(NO_CLIENT, ADDRESS)) == web3_calldata(
        "AlignedLayerServiceManager", fn, *args
    )


@pytest.mark.parametrize(
    ("encoded", "fn", "args"),
    [
        (
            lambda c: c.encode_create_new_task(ROOT, "p", [SENDER, SENDER], 3, 4, 5),
            "createNewTask",
            (ROOT, "p", [HEX_SENDER, HEX_SENDER], 3, 4, 5),
        ),
        (
            lambda c: c.encode_settle(ROOT, [SENDER], 6, 7, 8),
            "settle",
            (ROOT, [HEX_SENDER], 6, 7, 8),
        ),
        (lambda c: c.encode_deposit(SENDER), "deposit", (HEX_SENDER,)),
        (lambda c: c.encode_withdraw(4), "withdraw", (4,)),
        (lambda c: c.encode_set_fee_cap(4), "setFeeCap", (4,)),
        (lambda c: c.encode_unlock(), "unlock", ()),
        (lambda c: c.encode_lock(), "lock", ()),
        (lambda c: c.encode_withdraw_earnings(), "withdrawEarnings", ()),
    ],
)
def test_payment_service__calldata__as_web3_encodes_it(
    encoded: Callable[[PaymentService], bytes], fn: str, args: tuple[object, ...]
) -> None:
    assert encoded(PaymentService(NO_CLIENT, ADDRESS)) == web3_calldata("BatcherPaymentService", fn, *args)


@pytest.mark.parametrize(
    ("encoded", "fn", "args"),
    [
        (
            lambda c: c.encode_register(G1_WORDS, G2_WORDS, (7, 8), (9, (10,)), "s"),
            "register",
            (G1_WORDS, ([3, 4], [5, 6]), (7, 8), (9, [10]), "s"),
        ),
        (lambda c: c.encode_deregister(), "deregister", ()),
        (lambda c: c.encode_update_stakes([SENDER]), "updateStakes", ([HEX_SENDER],)),
        (lambda c: c.encode_update_socket("s"), "updateSocket", ("s",)),
    ],
)
def test_operator_registry__calldata__as_web3_encodes_it(
    encoded: Callable[[OperatorRegistry], bytes], fn: str, args: tuple[object, ...]
) -> None:
    assert encoded(OperatorRegistry(NO_CLIENT, ADDRESS)) == web3_calldata("OperatorRegistry", fn, *args)


async def test_operators__view__points_in_contract_order_and_block_passed_on() -> None:
    view = (HEX_SENDER, b"\x33" * 32, 10**18, 4, G1_WORDS, ([3, 4], [5, 6]), "https://op")
    operator_type = "(address,bytes32,uint96,uint256,(uint256,uint256),(uint256[2],uint256[2]),string)[]"
    answers = client([operator_type], [view])
    (operator,) = await OperatorRegistry(answers, ADDRESS).operators(123)
    assert (operator.address, operator.operator_id, operator.stake) == (SENDER, b"\x33" * 32, 10**18)
    assert (operator.stake_index, bls.g1_words(operator.g1), bls.g2_words(operator.g2)) == (
        4,
        G1_WORDS,
        G2_WORDS,
    )
    assert cast("Answers", answers).asked == [("operators", (), 123)]


async def test_service_manager__views__typed() -> None:
    assert (
        await ServiceManager(client(["uint8"], 2), ADDRESS).batch_status(ROOT, SENDER) is BatchStatus.VERIFIED
    )
    state = await ServiceManager(client(["uint32", "bool", "uint256"], 9, True, 5), ADDRESS).batches_state(
        ROOT
    )
    assert (state.task_block, state.responded, state.fee_limit_wei) == (9, True, 5)
    config_types = ["(uint96,uint72,uint16,uint16,uint24,uint16,bool)"]
    config = await ServiceManager(client(config_types, (1, 2, 3, 6_700, 5, 6, True)), ADDRESS).config()
    assert (config.min_total_stake, config.threshold_bps, config.intake_paused) == (1, 6_700, True)
    manager = ServiceManager(client(["bool"], True), ADDRESS)
    assert await manager.verify_batch_inclusion((ROOT, ROOT, ROOT), SENDER, ROOT, b"", 0, SENDER)


async def test_payment_service__views__typed() -> None:
    payments = PaymentService(client(["uint256"], 7), ADDRESS)
    assert [await payments.balance(SENDER), await payments.nonce(SENDER), await payments.fee_cap(SENDER)] == [
        7,
        7,
        7,
    ]
    assert await payments.unlock_time(SENDER) == 7
    assert await PaymentService(client(["address"], SENDER), ADDRESS).batcher() == SENDER


def test_parse_new_batch__log__all_fields() -> None:
    manager = ServiceManager(NO_CLIENT, ADDRESS)
    data = encode(["address", "uint32", "string", "uint256"], [SENDER, 9, "u1,u2", 10])
    batch = manager.parse_new_batch(log([manager.topic("NewBatchV3"), ROOT], data))
    assert (batch.root, batch.sender, batch.task_block, batch.pointer) == (ROOT, SENDER, 9, "u1,u2")
    assert (batch.fee_limit_wei, batch.block_number, batch.log_index) == (10, 5, 6)
    assert (batch.block_hash, batch.tx_hash) == (b"\x44" * 32, b"\x55" * 32)


def test_parse_batch_verified__other_event__is_refused() -> None:
    manager = ServiceManager(NO_CLIENT, ADDRESS)
    data = encode(["address"], [SENDER])
    verified = manager.parse_batch_verified(log([manager.topic("BatchVerified"), ROOT], data))
    assert (verified.root, verified.sender) == (ROOT, SENDER)
    with pytest.raises(ProtocolError, match="malformed_abi"):
        manager.parse_batch_verified(log([manager.topic("NewBatchV3"), ROOT], data))


@pytest.mark.parametrize("address", ["", "0x", "0x" + "1" * 39, "1" * 42, b"\x01" * 19])
def test_contract__malformed_address__is_refused(address: str | bytes) -> None:
    with pytest.raises(ProtocolError, match="invalid_deployment"):
        ServiceManager(NO_CLIENT, address)
