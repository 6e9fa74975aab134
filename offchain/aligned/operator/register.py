"""Joining and leaving the operator set, on chain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from aligned.chain.abi import contract_abi
from aligned.chain.accounts import DEVNET_CHAIN_ID, operator_bls_key, role_account
from aligned.chain.client import ChainClient
from aligned.chain.connect import chain_client, tx_sender
from aligned.chain.contracts import OperatorRegistry
from aligned.chain.deployment import Deployment, address_bytes
from aligned.chain.sender import Receipt, TxSender
from aligned.core import bls
from aligned.core.eip712 import possession_digest
from aligned.core.errors import ConflictError, ProtocolError
from aligned.settings import INVALID_SETTINGS, Settings
from aligned.storage.connect import open_database

log = structlog.get_logger(__name__)
ALREADY_REGISTERED = "already_registered"
NOT_REGISTERED = "not_registered"


@dataclass(frozen=True, slots=True)
class OperatorStatus:
    """Where an operator stands; `stake_wei` is 0 when it is not in the set."""

    address: bytes
    operator_id: bytes
    registered: bool
    stake_wei: int
    total_stake_wei: int
    operators: int


@dataclass(frozen=True, slots=True)
class _Session:
    settings: Settings
    deployment: Deployment
    client: ChainClient
    registry: OperatorRegistry
    sender: TxSender

    async def send(self, name: str, to: bytes, data: bytes, value_wei: int = 0) -> Receipt:
        # The block tells a wish apart from the same one in an earlier life of this operator.
        key = f"{name}:{await self.client.block_number()}"
        return await self.sender.send(key, to, data, value=value_wei)


@asynccontextmanager
async def _session(settings: Settings) -> AsyncIterator[_Session]:
    deployment = Deployment.load(settings.chain.deployment_file)
    account = role_account(settings.operator, settings.chain.chain_id)
    async with (
        open_database(settings.database, "operator") as db,
        chain_client(settings.chain) as client,
    ):
        registry = OperatorRegistry(client, deployment.operator_registry)
        sender = tx_sender(settings.chain, db, client, account)
        yield _Session(settings, deployment, client, registry, sender)


def registration_calldata(
    registry: OperatorRegistry, secret: bls.SecretKey, operator: bytes, chain_id: int, socket: str
) -> bytes:
    """Calldata of `register`: both keys, a signature that shows that we hold the secret, its hash witnesses."""
    digest = possession_digest(operator, chain_id, registry.address)
    g1, g2 = secret.public_keys()
    witness = bls.hash_witness(digest)
    return registry.encode_register(
        bls.g1_words(g1),
        bls.g2_words(g2),
        bls.g1_words(secret.sign(digest)),
        (witness.root, witness.skips),
        socket,
    )


async def register(settings: Settings, bond_wei: int = 0) -> Receipt:
    """Registers the operator's BLS key.

    Args:
        bond_wei: bonded in the local stake source before; devnet only.

    Raises:
        ConflictError: already_registered.
        TxReverted: the registry refuses (StakeTooLow, OperatorSetFull, EjectionCooldown, …).
    """
    secret = operator_bls_key(settings.operator, settings.chain.chain_id)
    async with _session(settings) as session:
        operator = session.sender.address
        if await session.registry.is_registered(operator):
            raise ConflictError(ALREADY_REGISTERED, f"0x{operator.hex()} is in the operator set")
        if bond_wei:
            await _bond(session, bond_wei)
        data = registration_calldata(
            session.registry, secret, operator, session.deployment.chain_id, settings.operator.socket
        )
        receipt = await session.send("register", session.registry.address, data)
        log.info(
            "operator_registered",
            operator=operator,
            operator_id=secret.operator_id(),
            tx_hash=receipt.tx_hash,
        )
        return receipt


async def _bond(session: _Session, bond_wei: int) -> None:
    if session.deployment.chain_id != DEVNET_CHAIN_ID:
        raise ProtocolError(
            INVALID_SETTINGS, "only the devnet's stake source takes a bond; elsewhere stake is delegated"
        )
    data = contract_abi("LocalStakeSource").functions["bond"].encode()
    await session.send("bond", address_bytes(session.deployment.stake_source), data, bond_wei)


async def deregister(settings: Settings) -> Receipt:
    """Takes the operator out of the set.

    Raises:
        ConflictError: not_registered.
    """
    async with _session(settings) as session:
        if not await session.registry.is_registered(session.sender.address):
            raise ConflictError(
                NOT_REGISTERED, f"0x{session.sender.address.hex()} is not in the operator set"
            )
        return await session.send(
            "deregister", session.registry.address, session.registry.encode_deregister()
        )


async def status(settings: Settings) -> OperatorStatus:
    """Where the operator of these settings stands; no transaction, no database."""
    deployment = Deployment.load(settings.chain.deployment_file)
    address = bytes.fromhex(role_account(settings.operator, settings.chain.chain_id).address[2:])
    operator_id = operator_bls_key(settings.operator, settings.chain.chain_id).operator_id()
    async with chain_client(settings.chain) as client:
        operators = await OperatorRegistry(client, deployment.operator_registry).operators()
    own = [op.stake for op in operators if op.address == address]
    return OperatorStatus(
        address, operator_id, bool(own), sum(own), sum(op.stake for op in operators), len(operators)
    )
