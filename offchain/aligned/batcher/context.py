"""What the batcher needs of the world: opened at start, closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aligned.batcher.chain_adapter import ContractTaskChain
from aligned.batcher.office import Office
from aligned.batcher.ports import TaskChain
from aligned.batcher.receipts import ReceiptSigner
from aligned.chain.accounts import role_account
from aligned.chain.connect import chain_client, max_head_age_s, tx_sender
from aligned.chain.contracts import PaymentService, ServiceManager
from aligned.chain.deployment import Deployment, address_bytes
from aligned.chain.vitals import Sources
from aligned.settings import BatcherSettings, RetentionSettings, Settings
from aligned.storage.connect import open_database
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database
from aligned.verifiers.pool import VerifierPool


@dataclass(frozen=True, slots=True)
class Context:
    """Open dependencies of the batcher."""

    settings: BatcherSettings
    poll_s: float
    chain_id: int
    payment_service: bytes
    db: Database
    chain: TaskChain
    store: ObjectStore
    pool: VerifierPool
    signer: ReceiptSigner
    retention: RetentionSettings
    office: Office | None = None
    max_head_age_s: float | None = None
    # What gauges are read from; None where the chain is not a real one.
    sources: Sources | None = None


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """Opens database, chain, object store, keys and verifiers.

    Raises:
        AlignedError: a setting, key or dependency is wrong.
    """
    network, own = settings.chain, settings.batcher
    deployment = Deployment.load(network.deployment_file)
    account = role_account(own, network.chain_id)
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings.database, "batcher"))
        client = await stack.enter_async_context(chain_client(network))
        payments = PaymentService(client, deployment.payment_service)
        office = Office(payments, address_bytes(deployment.service_manager), address_bytes(account.address))
        await office.check_at_start()
        sender = tx_sender(network, db, client, account)
        manager = ServiceManager(client, deployment.service_manager)
        pool = VerifierPool(own.verifier_workers or None, own.verifier_timeout_s, own.verifier_memory_bytes)
        yield Context(
            settings=own,
            poll_s=network.poll_s,
            chain_id=network.chain_id,
            payment_service=payments.address,
            db=db,
            chain=ContractTaskChain(client, payments, manager, sender, own.task_timeout_s),
            store=ObjectStore.from_url(settings.store.url, settings.store.public_base_url),
            pool=await stack.enter_async_context(pool),
            signer=ReceiptSigner(account, network.chain_id, payments.address),
            retention=settings.retention,
            office=office,
            max_head_age_s=max_head_age_s(network),
            sources=Sources(client, db, sender),
        )
