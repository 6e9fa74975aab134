"""What a batch cost on this chain, read from its transactions."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi import decode

from aligned.chain.client import ChainClient
from aligned.chain.contracts import ServiceManager
from aligned.chain.deployment import Deployment, address_bytes
from aligned.core.errors import InvariantError

_NON_SIGNERS = 5  # last member of QuorumSignature


@dataclass(frozen=True, slots=True)
class GasFigures:
    """Whole-transaction gas of the first batch: opening its task (through the payment service), and the answer."""

    create_task: int
    respond: int
    non_signers: int


async def measure_gas(chain: ChainClient, deployment: Deployment) -> GasFigures:
    """Reads the first verified batch.

    Raises:
        InvariantError: there is none.
    """
    manager = ServiceManager(chain, address_bytes(deployment.service_manager))
    created = await _first_transaction(chain, manager, "NewBatchV3", deployment.deployed_block)
    answered = await _first_transaction(chain, manager, "BatchVerified", deployment.deployed_block)
    function = manager.contract.abi.functions["respondToTask"]
    transaction = await chain.get_transaction(answered[0])
    assert transaction is not None
    quorum = decode(function.inputs, transaction.data[4:])[2]
    return GasFigures(create_task=created[1], respond=answered[1], non_signers=len(quorum[_NON_SIGNERS]))


async def _first_transaction(
    chain: ChainClient, manager: ServiceManager, event: str, start: int
) -> tuple[bytes, int]:
    logs = await chain.get_logs(manager.address, [manager.topic(event)], start, await chain.block_number())
    if not logs:
        raise InvariantError("no_batch", f"no {event} on this chain")
    receipt = await chain.get_receipt(logs[0].tx_hash)
    assert receipt is not None
    return receipt.tx_hash, receipt.gas_used
