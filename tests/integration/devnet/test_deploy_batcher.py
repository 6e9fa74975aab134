"""A payment service of one's own: what stands on chain afterwards, and what is refused before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from eth_account import Account

from aligned.chain.deployment import Deployment
from aligned.cli.main import cli
from aligned.core.errors import ProtocolError
from aligned.devnet import layout
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.deploy_aggregation_checks import view
from aligned.devnet.deploy_batcher import deploy_batcher
from aligned.devnet.senders import Web3Sender
from tests.integration.rig import Rig, running_rig

CAP_WEI = 3 * 10**16
BATCHER, OWNER = (str(Account.from_key("0x" + digits * 32).address) for digits in ("11", "22"))
ZERO = "0x" + "00" * 20


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running_rig(tmp_path_factory.mktemp("own"), operators=0) as rig:
        rig.deployment.save(rig.folder / "deployment.json")
        yield rig


@pytest.fixture
def sender(rig: Rig) -> Web3Sender:
    """Anybody with ether: no role in the deployment is needed."""
    return rig.sender(rig.node.new_account())


@pytest.fixture(scope="module")
def artifacts() -> Artifacts:
    return Artifacts.load(layout.ARTIFACTS)


def has_role(sender: Web3Sender, service: str, holder: str) -> bool:
    manager = view(sender, "BatcherPaymentService", service, "authority")
    return bool(view(sender, "AccessManager", manager, "hasRole", 0, holder)[0])


def test_deploy__by_anybody__own_service_in_front_of_the_same_contracts(
    rig: Rig, sender: Web3Sender, artifacts: Artifacts
) -> None:
    done = deploy_batcher(sender, artifacts, rig.deployment, BATCHER, fee_cap_wei=CAP_WEI)
    assert done.payment_service != rig.deployment.payment_service
    assert done.model_dump(exclude={"payment_service"}) == rig.deployment.model_dump(
        exclude={"payment_service"}
    )
    assert has_role(sender, done.payment_service, sender.address)


def test_deploy__admin_named__deployer_keeps_nothing(
    rig: Rig, sender: Web3Sender, artifacts: Artifacts
) -> None:
    done = deploy_batcher(sender, artifacts, rig.deployment, BATCHER, admin=OWNER, fee_cap_wei=CAP_WEI)
    assert has_role(sender, done.payment_service, OWNER)
    assert not has_role(sender, done.payment_service, sender.address)


@pytest.mark.parametrize(
    ("change", "batcher", "admin", "text"),
    [
        ({"chain_id": 5}, BATCHER, None, "of chain 5, connected to 31337"),
        ({"service_manager": "0x" + "11" * 20}, BATCHER, None, "is this the file of the running chain"),
        ({}, ZERO, None, "the batcher is the zero address"),
        ({}, BATCHER, ZERO, "the admin is the zero address"),
    ],
)
def test_deploy__wrong_from_the_start__refused_before_the_first_transaction(
    rig: Rig,
    sender: Web3Sender,
    artifacts: Artifacts,
    change: dict[str, object],
    batcher: str,
    admin: str | None,
    text: str,
) -> None:
    deployment = Deployment.model_validate(rig.deployment.model_dump() | change)
    with pytest.raises(ProtocolError, match=text):
        deploy_batcher(sender, artifacts, deployment, batcher, admin=admin, fee_cap_wei=CAP_WEI)
    assert rig.node.nonce(sender.address) == 0


def test_command__devnet__file_with_the_new_service_and_never_over_an_old_one(
    rig: Rig, tmp_path: Path
) -> None:
    output = tmp_path / "mine.json"
    arguments = [
        *("deploy", "batcher", "--deployment", str(rig.folder / "deployment.json"), "--batcher", BATCHER),
        *("--rpc-url", rig.node.url, "--output", str(output), "--devnet-account", "4", "--json"),
    ]
    done = CliRunner(mix_stderr=False).invoke(cli, arguments)
    assert done.exit_code == 0, done.stderr
    saved = Deployment.load(output)
    assert saved.payment_service == json.loads(done.stdout)["payment_service"]
    assert saved.service_manager == rig.deployment.service_manager
    again = CliRunner(mix_stderr=False).invoke(cli, arguments)
    assert again.exit_code == 2
    assert Deployment.load(output) == saved


def test_command__no_node__dependency_error_and_no_file(rig: Rig, tmp_path: Path) -> None:
    output = tmp_path / "mine.json"
    done = CliRunner(mix_stderr=False).invoke(
        cli,
        [
            *("deploy", "batcher", "--deployment", str(rig.folder / "deployment.json"), "--batcher", BATCHER),
            *("--rpc-url", "http://127.0.0.1:9", "--output", str(output), "--devnet-account", "4", "--json"),
        ],
    )
    assert done.exit_code == 3, done.output
    assert json.loads(done.stdout)["error"]["code"] == "chain_unavailable"
    assert not output.exists()
