"""Gas of paying for aggregation mode: whole transactions of plain transfers, for exactly the price."""

from __future__ import annotations

from typing import Any

from gas_chain import GAS_LIMIT, GasChain


def measure_subscriptions(chain: GasChain) -> dict[str, int]:
    """A user's first payment and a renewal, when the service has had payments before."""
    _pay(chain, chain.account(3))
    return {"subscribe": _pay(chain, chain.account(4)), "renew": _pay(chain, chain.account(4))}


def _pay(chain: GasChain, payer: str) -> int:
    service = chain.deployment.aggregation_payment_service
    price = chain.view("AggregationModePaymentService", service, "amountToPayInWei")
    sent: Any = {"from": payer, "to": service, "value": price, "gas": GAS_LIMIT}
    receipt = chain.web3.eth.wait_for_transaction_receipt(
        chain.web3.eth.send_transaction(sent), poll_latency=0.01
    )
    if receipt["status"] != 1:
        raise RuntimeError("the payment reverted")
    return int(receipt["gasUsed"])
