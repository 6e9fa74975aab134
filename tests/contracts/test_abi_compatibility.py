"""Names that the reference system's own clients use: selectors, topics and error selectors, as facts."""

from __future__ import annotations

import pytest

from aligned.chain.abi import contract_abi

SERVICE_MANAGER, PAYMENT = "AlignedLayerServiceManager", "BatcherPaymentService"
SUBSCRIPTIONS = "AggregationModePaymentService"

FUNCTIONS = [
    (SERVICE_MANAGER, "createNewTask", "d66eaabd"),
    (SERVICE_MANAGER, "verifyBatchInclusion", "06045a91"),
    (SERVICE_MANAGER, "batchesState", "b099627e"),
    (SERVICE_MANAGER, "batchersBalances", "f474b520"),
    (SERVICE_MANAGER, "disabledVerifiers", "ea5ca34b"),
    (SERVICE_MANAGER, "isVerifierDisabled", "137122b5"),
    (SERVICE_MANAGER, "disableVerifier", "fd4c3b7c"),
    (SERVICE_MANAGER, "enableVerifier", "18daeeaf"),
    (SERVICE_MANAGER, "setDisabledVerifiers", "b753645e"),
    (SERVICE_MANAGER, "withdraw", "2e1a7d4d"),
    (SERVICE_MANAGER, "balanceOf", "70a08231"),
    (SERVICE_MANAGER, "depositToBatcher", "4223d551"),
    (PAYMENT, "createNewTask", "a7d31809"),
    (PAYMENT, "unlock", "a69df4b5"),
    (PAYMENT, "lock", "f83d08ba"),
    (PAYMENT, "withdraw", "2e1a7d4d"),
    (PAYMENT, "paused", "5c975abb"),
    (PAYMENT, "user_balances", "2df4e21e"),
    (PAYMENT, "user_nonces", "17d89c4e"),
    (PAYMENT, "user_unlock_block", "4d5431ea"),
    (PAYMENT, "UNLOCK_BLOCK_TIME", "73e289d0"),
    (SUBSCRIPTIONS, "amountToPayInWei", "07f56ad4"),
    (SUBSCRIPTIONS, "paymentFundsRecipient", "2c42a9dd"),
    (SUBSCRIPTIONS, "paymentExpirationTimeSeconds", "86925476"),
    (SUBSCRIPTIONS, "maxSubscriptionTimeAhead", "051c7de3"),
]
EVENTS = [
    (SERVICE_MANAGER, "NewBatchV3", "8801fc966deb2c8f563a103c35c9e80740585c292cd97518587e6e7927e6af55"),
    (SERVICE_MANAGER, "BatchVerified", "8511746b73275e06971968773119b9601fc501d7bdf3824d8754042d148940e2"),
    (
        SERVICE_MANAGER,
        "BatcherBalanceUpdated",
        "0ea46f246ccfc58f7a93aa09bc6245a6818e97b1a160d186afe78993a3b194a0",
    ),
    (SERVICE_MANAGER, "VerifierDisabled", "ec54a85c01b5fc7fb41be0f33eabc56f2981110da8317b9817bc7c718f6d7bfe"),
    (SERVICE_MANAGER, "VerifierEnabled", "5f52704e8e0190647930ccde0e43e14e89902d7d8c49c5f9e2544029f45ec12a"),
    (PAYMENT, "PaymentReceived", "6ef95f06320e7a25a04a175ca677b7052bdd97131872c2192525a629f51be770"),
    (PAYMENT, "FundsWithdrawn", "eaff4b37086828766ad3268786972c0cd24259d4c87a80f9d3963a3c3d999b0d"),
    (PAYMENT, "BalanceLocked", "c5f84593e7086c66a205abab7ee44e1a8e6db58e50bf18ca46cb8239118b5ecd"),
    (PAYMENT, "BalanceUnlocked", "43e8fb9d4f009c90c55a3fa108b177b794704d61af7af6f6512db7883f8ed843"),
    (PAYMENT, "TaskCreated", "8638c7c92bcf4c8e36871a7c8178f8e1c1c30ea1c68a0debdac8d56d3a68f73c"),
]
ERRORS = [
    (SERVICE_MANAGER, "BatchAlreadySubmitted", "3102f10c"),
    (SERVICE_MANAGER, "BatchDoesNotExist", "2396d34e"),
    (SERVICE_MANAGER, "BatchAlreadyResponded", "9cf1aff2"),
    (SERVICE_MANAGER, "InsufficientFunds", "5c54305e"),
    (SERVICE_MANAGER, "InvalidQuorumThreshold", "a61eb88a"),
    (SERVICE_MANAGER, "InvalidDepositAmount", "412ed242"),
    (PAYMENT, "OnlyBatcherAllowed", "152bc288"),
    (PAYMENT, "NoProofSubmitters", "c43ac290"),
    (PAYMENT, "NoFeePerProof", "a3a8658a"),
    (PAYMENT, "InsufficientFeeForAggregator", "7899ec71"),
    (PAYMENT, "UserHasNoFundsToUnlock", "b38340cf"),
    (PAYMENT, "UserHasNoFundsToLock", "6cc12bc2"),
    (PAYMENT, "PayerInsufficientBalance", "21c3d50f"),
    (PAYMENT, "FundsLocked", "bedc4e5a"),
]


@pytest.mark.parametrize(("contract", "name", "selector"), FUNCTIONS)
def test_function__named_by_the_reference__has_its_selector(contract, name, selector):
    assert contract_abi(contract).functions[name].selector.hex() == selector


@pytest.mark.parametrize(("contract", "name", "topic"), EVENTS)
def test_event__named_by_the_reference__has_its_topic(contract, name, topic):
    assert contract_abi(contract).events[name].topic.hex() == topic


@pytest.mark.parametrize(("contract", "name", "selector"), ERRORS)
def test_error__named_by_the_reference__has_its_selector(contract, name, selector):
    assert contract_abi(contract).errors[bytes.fromhex(selector)].name == name
