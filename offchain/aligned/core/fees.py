"""Prices of the fast mode, as integer functions of the gas price.

The shape is the reference's (a constant part shared by the batch, plus a part per proof); the gas figures are this
system's own measurements (bench/gas.json), rounded up.
"""

from __future__ import annotations

# respondToTask with a few non-signers, and createNewTask through the payment service for one payer.
RESPOND_GAS = 230_000
CREATE_TASK_BASE_GAS = 140_000
EXTRA_GAS_PER_PROOF = 8_000
AGGREGATOR_FEE_PERCENT = 125
RESPOND_FEE_LIMIT_PERCENT = 150
GAS_PRICE_PERCENT = 110
MIN_REPLACEMENT_BUMP_PERCENT = 10


def _percent(amount: int, percent: int) -> int:
    return amount * percent // 100


def bumped_gas_price_wei(gas_price_wei: int) -> int:
    """Gas price with the margin that a quote carries."""
    return _percent(gas_price_wei, GAS_PRICE_PERCENT)


def fee_for_aggregator_wei(gas_price_wei: int) -> int:
    """What a task sets aside for its answer; the unused part comes back to the payers."""
    expected = _percent(RESPOND_GAS * bumped_gas_price_wei(gas_price_wei), AGGREGATOR_FEE_PERCENT)
    return _percent(expected, RESPOND_FEE_LIMIT_PERCENT)


def fee_per_proof_wei(proofs: int, gas_price_wei: int, min_answer_fee_wei: int = 0) -> int:
    """Price of one proof in a batch of `proofs` (≥ 1), rounded up so that the batch is covered.

    Args:
        min_answer_fee_wei: least answer fee that the service manager takes for a task.
    """
    if proofs < 1:
        raise ValueError(f"a batch has at least one proof, got {proofs}")
    own = CREATE_TASK_BASE_GAS + EXTRA_GAS_PER_PROOF * proofs
    answer = max(fee_for_aggregator_wei(gas_price_wei), min_answer_fee_wei)
    total = own * bumped_gas_price_wei(gas_price_wei) + answer
    return -(-total // proofs)


def posting_gas_price_wei(proofs: int, fee_per_proof_wei: int, answer_fee_wei: int) -> int:
    """The gas price at which createNewTask costs all that a batch pays for it, 0 if it pays nothing."""
    paid_wei = max(0, proofs * fee_per_proof_wei - answer_fee_wei)
    return paid_wei // (CREATE_TASK_BASE_GAS + EXTRA_GAS_PER_PROOF * proofs)


def min_max_fee_wei(gas_price_wei: int, assumed_batch: int = 32, min_answer_fee_wei: int = 0) -> int:
    """Least max_fee that is admitted: the price in a batch of `assumed_batch` proofs."""
    return fee_per_proof_wei(assumed_batch, gas_price_wei, min_answer_fee_wei)


def min_replacement_fee_wei(old_max_fee_wei: int) -> int:
    """Least max_fee of a message that replaces a queued one."""
    return -(-old_max_fee_wei * (100 + MIN_REPLACEMENT_BUMP_PERCENT) // 100)
