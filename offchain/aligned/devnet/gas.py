"""What a batch cost on this chain, read from its transactions."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi import decode

from aligned.chain.client import ChainClient
from aligned.chain.contracts import ServiceManager
from aligned.chain.deployment import Deployment, address_bytes
from aligned.chain.types import LogEntry
from aligned.core.errors import InvariantError

_NON_SIGNERS = 5  # last member of QuorumSignature


@dataclass(frozen=True, slots=True)
class GasFigures:
    """Whole-transaction gas of one batch: opening its task (through the payment service), and the answer."""

    create_task: int
    respond: int
    non_signers: int


async def measure_gas(chain: ChainClient, deployment: Deployment) -> GasFigures:
    """Reads the batch that was answered last: by then all accounts are in use and their slots are not empty.

    Raises:
        InvariantError: no batch is verified.
    """
    manager = ServiceManager(chain, address_bytes(deployment.service_manager))
    answered = await _last_log(chain, manager, deployment.deployed_block, [manager.topic("BatchVerified")])
    root = answered.topics[1]
    created = await _last_log(chain, manager, deployment.deployed_block, [manager.topic("NewBatchV3"), root])
    transaction = await chain.get_transaction(answered.tx_hash)
    assert transaction is not None
    quorum = decode(manager.contract.abi.functions["respondToTask"].inputs, transaction.data[4:])[2]
    return GasFigures(
        create_task=await _gas_used(chain, created.tx_hash),
        respond=await _gas_used(chain, answered.tx_hash),
        non_signers=len(quorum[_NON_SIGNERS]),
    )


async def _last_log(chain: ChainClient, manager: ServiceManager, start: int, topics: list[bytes]) -> LogEntry:
    logs = await chain.get_logs(manager.address, topics, start, await chain.block_number())
    if not logs:
        raise InvariantError("no_batch", "no batch was verified on this chain")
    return logs[-1]


async def _gas_used(chain: ChainClient, tx_hash: bytes) -> int:
    receipt = await chain.get_receipt(tx_hash)
    assert receipt is not None
    return receipt.gas_used
