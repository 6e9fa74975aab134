"""The batcher against the real contracts: charges, nonces, verification, expiry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from aligned.batcher.context import open_context
from aligned.batcher.model import Settlement, Task, TxBounds
from aligned.batcher.service import Batcher
from aligned.chain.client import ChainClient
from aligned.chain.contracts import OperatorRegistry, PaymentService, ServiceManager
from aligned.core.batch import batch_id
from aligned.core.commitment import commit
from aligned.core.eip712 import task_digest
from aligned.core.quorum import build_quorum
from aligned.core.types import ProvingSystem
from tests.integration.batcher.clients import HelloClient, ReferenceClient, User
from tests.integration.batcher.conftest import eventually
from tests.integration.batcher.proofs import risc0, small, sp1
from tests.integration.rig import Rig, running_rig
from tests.outside.node import NodeProxy, error

BATCHER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ETH = 10**18
BOUNDS = TxBounds(None, 60.0)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_rig(tmp_path, operators=3, response_window_blocks=40) as rig:
        yield rig


@pytest_asyncio.fixture
async def url(rig: Rig, postgres: str, tmp_path: Path) -> AsyncIterator[str]:
    own = {
        "port": 0,
        "devnet_private_key": BATCHER_KEY,
        "verifier_workers": 2,
        "settle_min_percent": 0,
        "final_depth_blocks": 4,
    }
    store = {"url": str(tmp_path / "store"), "public_base_url": "http://127.0.0.1:1"}
    stop = asyncio.Event()
    async with open_context(rig.settings(postgres, batcher=own, store=store)) as context:
        batcher = Batcher(context)
        running = asyncio.create_task(batcher.run(stop))
        mining = asyncio.create_task(mine_slowly(rig))
        port = await batcher.port

        async def is_ready() -> bool:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200

        await eventually(is_ready)
        yield f"ws://127.0.0.1:{port}"
        mining.cancel()
        stop.set()
        await running


@pytest_asyncio.fixture
async def client(rig: Rig) -> AsyncIterator[ChainClient]:
    async with ChainClient([rig.node.url], rig.deployment.chain_id) as client:
        yield client


async def mine_slowly(rig: Rig) -> None:
    while True:
        await asyncio.to_thread(rig.node.mine)
        await asyncio.sleep(0.3)


@pytest.fixture
def user(rig: Rig) -> User:
    """A user who deposited by a plain transfer, as the v0.10 client does."""
    payer = rig.node.new_account()
    rig.sender(payer).transact(rig.deployment.payment_service, b"", ETH)
    return User(int.from_bytes(payer.key, "big"), bytes.fromhex(rig.deployment.payment_service[2:]))


async def answer(rig: Rig, client: ChainClient, root: bytes, sender: bytes) -> None:
    """What operators and aggregator do."""
    manager = ServiceManager(client, rig.deployment.service_manager)
    registry = OperatorRegistry(client, rig.deployment.operator_registry)
    identifier = batch_id(root, sender)
    block = (await manager.batches_state(identifier)).task_block
    digest = task_digest(identifier, block, rig.deployment.chain_id, manager.address)
    signatures = {operator.operator_id: operator.secret.sign(digest) for operator in rig.operators}
    operators = await registry.operators(block)
    quorum = build_quorum(operators, signatures, digest, await registry.snapshot_index_at(block))
    data = manager.encode_respond_to_task(root, sender, quorum)
    responder = rig.web3.to_checksum_address(rig.node.rpc("eth_accounts")[1])
    call = {"from": responder, "to": rig.deployment.service_manager, "data": data, "gas": 600_000}
    await asyncio.to_thread(lambda: rig.web3.eth.send_transaction(call))  # type: ignore[arg-type]


async def test_reference_client__real_proofs__charged_included_and_verified_on_chain(
    rig: Rig, url: str, user: User, client: ChainClient
) -> None:
    payments = PaymentService(client, rig.deployment.payment_service)
    manager = ServiceManager(client, rig.deployment.service_manager)
    proofs = [sp1("fib_a", "fib"), risc0("fib3_20_composite"), small()]
    async with ReferenceClient(url) as reference:
        await reference.submit(user, proofs, await payments.nonce(user.address))
        found = await reference.inclusions(proofs)
    assert await payments.nonce(user.address) == 3
    assert 0 < await payments.balance(user.address) < ETH
    for root in {root for root, _ in found}:
        await answer(rig, client, root, payments.address)
    async with HelloClient(url) as hello:
        for nonce, data in enumerate(proofs):
            await hello.send(user.message(data, nonce))
            body = await hello.next("BatchInclusionData")
            parts = commit(data)
            assert await manager.verify_batch_inclusion(
                (parts.proof, parts.pub_input, parts.aux),
                parts.generator,
                body["batch_merkle_root"],
                b"".join(body["batch_inclusion_proof"]["merkle_path"]),
                body["index_in_batch"],
                payments.address,
            )
            assert (await hello.next("Status"))["state"] == "verified"


async def test_batch__never_answered__expires_and_the_payer_gets_the_fee_back(
    rig: Rig, url: str, user: User, client: ChainClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    payments = PaymentService(client, rig.deployment.payment_service)
    async with HelloClient(url) as hello:
        await hello.send(user.message(small(), 0))
        await hello.next("BatchInclusionData")
        charged_to = await payments.balance(user.address)
        await asyncio.to_thread(rig.node.mine, 45)
        assert (await hello.next("Dropped"))["code"] == "batch_expired"
        for _ in range(900):
            if await payments.balance(user.address) > charged_to:
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the surplus was not settled")


async def test_adapter__skipped_entries_and_funding__read_from_the_chain_and_settled(
    rig: Rig, user: User, client: ChainClient, postgres: str, tmp_path: Path
) -> None:
    """The contract tells skipped entries by the run, and commits to amounts that only its event has."""
    payments = PaymentService(client, rig.deployment.payment_service)
    own = {"port": 0, "devnet_private_key": BATCHER_KEY, "verifier_workers": 1}
    store = {"url": str(tmp_path / "store"), "public_base_url": "http://127.0.0.1:1"}
    stranger, fee_wei, answer_fee_wei = b"\xff" * 20, 10**16, 2 * 10**15
    task = Task(
        b"\x05" * 32, "https://x.example", (*[user.address] * 3, stranger, stranger), answer_fee_wei, fee_wei
    )
    async with open_context(rig.settings(postgres, batcher=own, store=store)) as context:
        mining = asyncio.create_task(mine_slowly(rig))
        posted = await context.chain.create_task("one", task, BOUNDS)
        assert posted.skipped == (stranger, stranger)
        reward_wei = await payments.earnings()
        assert posted.payers_fee_wei == answer_fee_wei
        assert posted.held_wei == 3 * fee_wei - answer_fee_wei - reward_wei > 0
        await asyncio.to_thread(rig.node.mine, 45)
        payers = (user.address,) * 3
        settlement = Settlement(task.root, payers, posted.held_wei, posted.payers_fee_wei, answer_fee_wei)
        await context.chain.settle("two", settlement, BOUNDS)
        mining.cancel()
    assert await payments.balance(user.address) == ETH - reward_wei


async def test_verifier__switched_off_on_chain__refused(rig: Rig, url: str, user: User) -> None:
    rig.call_as_admin("disableVerifier", int(ProvingSystem.RISC0))
    async with HelloClient(url) as hello:
        for nonce in range(100):
            await hello.send(user.message(small(nonce), nonce))
            reply = await hello.read()
            while set(reply) & {"Status", "BatchInclusionData"}:
                reply = await hello.read()
            if "Rejected" in reply:
                break
    assert reply["Rejected"]["code"] == "verifier_disabled"


async def test_account__one_question__says_what_the_views_say(rig: Rig, user: User) -> None:
    async with NodeProxy(rig.node.url) as proxy, ChainClient([proxy.url], rig.deployment.chain_id) as client:
        payments = PaymentService(client, rig.deployment.payment_service)
        await client.block_number()
        proxy.forget()
        found = await payments.account(user.address)
        assert proxy.calls == ["eth_call"]
        views = (payments.nonce, payments.balance, payments.unlock_time, payments.fee_cap)
        said = tuple([await view(user.address) for view in views])
        assert found == said
        assert found[1] == ETH
        # A service that was deployed before has only the four.
        proxy.before("eth_call", 1, error(3, "execution reverted"))
        assert await payments.account(user.address) == said
