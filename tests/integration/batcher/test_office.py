"""A batcher that its payment service does not take must not sign a receipt: refused at start, and later too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from aligned.batcher import service
from aligned.batcher.office import NOT_IN_OFFICE, WRONG_SERVICE_MANAGER, Office
from aligned.chain.abi import contract_abi
from aligned.chain.client import ChainClient
from aligned.chain.contracts import PaymentService
from aligned.core.errors import ProtocolError
from aligned.devnet import layout
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.deploy_batcher import deploy_batcher
from aligned.devnet.senders import Web3Sender
from aligned.settings import Settings
from tests.integration.rig import Rig, running_rig

BATCHER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
OTHER = Account.from_key("0x" + "11" * 32)
OTHER_ADDRESS = bytes.fromhex(OTHER.address[2:])
WAIT_S = 60.0


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running_rig(tmp_path_factory.mktemp("office"), operators=0) as rig:
        yield rig


@pytest.fixture
def admin(rig: Rig) -> Web3Sender:
    """The deployer, who holds every role."""
    return Web3Sender(rig.web3, rig.web3.eth.accounts[0])


def settings_of(rig: Rig, postgres: str, tmp_path: Path, key: str, **chain: Any) -> Settings:
    own = {"port": 0, "devnet_private_key": key, "verifier_workers": 1}
    store = {"url": str(tmp_path / "store"), "public_base_url": "http://127.0.0.1:1"}
    settings = rig.settings(postgres, batcher=own, store=store)
    return settings.model_copy(update={"chain": settings.chain.model_copy(update=chain)})


def call(admin: Web3Sender, service_address: str, function: str, *args: object) -> None:
    codec = contract_abi("BatcherPaymentService").functions[function]
    admin.transact(service_address, codec.encode(*args))


async def test_run__key_of_somebody_else__refused_at_start_with_both_ways_out(
    rig: Rig, postgres: str, tmp_path: Path
) -> None:
    settings = settings_of(rig, postgres, tmp_path, OTHER.key.hex())
    with pytest.raises(ProtocolError) as error:
        await asyncio.wait_for(service.run(settings, asyncio.Event()), WAIT_S)
    assert error.value.code == NOT_IN_OFFICE
    assert OTHER.address.lower() in error.value.message
    assert "aligned deploy batcher" in error.value.message


async def test_run__chain_cannot_be_asked_at_start__starts_and_looks_again(
    rig: Rig, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The port opens; when the chain answers at last, and names another batcher, it is over."""
    monkeypatch.setattr(service, "_OFFICE_POLL_S", 0.05)
    away = settings_of(rig, postgres, tmp_path, BATCHER_KEY, rpc_urls=("http://127.0.0.1:9",))
    stop = asyncio.Event()
    running = asyncio.create_task(service.run(away, stop))
    done, _ = await asyncio.wait((running,), timeout=3)
    stop.set()
    await asyncio.wait_for(running, WAIT_S)
    assert not done


async def test_run__loses_office_while_it_runs__ends_with_the_reason(
    rig: Rig, admin: Web3Sender, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_OFFICE_POLL_S", 0.05)
    # The look at the start is that of the test above.
    monkeypatch.setattr(Office, "check_at_start", _not_looked)
    own = Account.create()
    rig.node.rpc("anvil_setBalance", own.address, hex(10**18))
    mine = deploy_batcher(
        admin, Artifacts.load(layout.ARTIFACTS), rig.deployment, own.address, fee_cap_wei=10**16
    )
    settings = settings_of(rig, postgres, tmp_path, own.key.hex())
    mine.save(settings.chain.deployment_file)
    call(admin, mine.payment_service, "proposeBatcher", OTHER.address)
    rig.node.rpc("anvil_setBalance", OTHER.address, hex(10**18))
    rig.sender(OTHER).transact(
        mine.payment_service, contract_abi("BatcherPaymentService").functions["acceptBatcher"].encode()
    )
    with pytest.raises(ProtocolError) as error:
        await asyncio.wait_for(service.run(settings, asyncio.Event()), WAIT_S)
    assert error.value.code == NOT_IN_OFFICE


async def _not_looked(_office: Office) -> None:
    pass


async def test_step__in_office__goes_on(rig: Rig) -> None:
    async with ChainClient([rig.node.url], 31337) as chain:
        payments = PaymentService(chain, rig.deployment.payment_service)
        assert not await Office(payments, rig.manager, await payments.batcher()).step()


async def test_step__proposed_and_not_accepted__told_to_accept(rig: Rig, admin: Web3Sender) -> None:
    artifacts = Artifacts.load(layout.ARTIFACTS)
    mine = deploy_batcher(admin, artifacts, rig.deployment, rig.web3.eth.accounts[3], fee_cap_wei=10**16)
    call(admin, mine.payment_service, "proposeBatcher", OTHER.address)
    async with ChainClient([rig.node.url], 31337) as chain:
        with pytest.raises(ProtocolError, match="acceptBatcher"):
            await Office(PaymentService(chain, mine.payment_service), rig.manager, OTHER_ADDRESS).step()


async def test_step__service_of_another_deployment__refused(rig: Rig) -> None:
    async with ChainClient([rig.node.url], 31337) as chain:
        payments = PaymentService(chain, rig.deployment.payment_service)
        with pytest.raises(ProtocolError) as error:
            await Office(payments, bytes(20), await payments.batcher()).step()
    assert error.value.code == WRONG_SERVICE_MANAGER
