"""A second batcher against the contracts of a running system, as README says that anybody may run one."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from eth_account import Account
from eth_account.signers.local import LocalAccount

from aligned.cli.main import cli
from aligned.core.errors import DependencyError
from aligned.core.types import VerificationData
from aligned.devnet import layout
from aligned.devnet.cluster import Cluster
from aligned.devnet.layout import Shared
from aligned.devnet.process import ManagedProcess, free_port
from aligned.sdk import AlignedClient
from aligned.sdk.network import NetworkConfig
from tests.e2e.conftest import WAIT_S

pytestmark = pytest.mark.asyncio(loop_scope="session")
READY_S = 120.0


def own_settings(cluster: Cluster, home: Path, key: LocalAccount, deployment: Path, port: int) -> Path:
    """A batcher's settings beside those of the devnet's."""
    keystore, password = home / "batcher.json", home / "password"
    password.write_text("correct horse\n")
    keystore.write_text(json.dumps(Account.encrypt(key.key, "correct horse", kdf="pbkdf2", iterations=16)))
    shared = Shared(
        cluster.network.rpc_urls[0], cluster.network.chain_id, cluster.layout, cluster.store_url
    ).sections()
    batcher = {
        "port": port,
        "batch_interval_blocks": 1,
        "verifier_workers": 1,
        "keystore_file": str(keystore),
        "password_file": str(password),
    }
    database = {"url_file": str(cluster.layout.database("second", cluster.database_url("second_batcher")))}
    chain = {**shared["chain"], "deployment_file": str(deployment)}
    layout.write_settings(
        home / "second.toml", {**shared, "chain": chain, "database": database, "batcher": batcher}
    )
    return home / "second.toml"


def batcher_process(home: Path, settings: Path) -> ManagedProcess:
    argv = [sys.executable, "-m", "aligned.cli.main", "batcher", "run", "--config", str(settings)]
    return ManagedProcess("second batcher", argv, home / "second.log")


async def test_own_batcher__own_payment_service__proof_verified_and_receipts_believed(
    cluster: Cluster, account: LocalAccount, small_proof: VerificationData, tmp_path: Path
) -> None:
    key: LocalAccount = Account.create()
    for each in (key.address, account.address):
        await cluster.cheats.set_balance(bytes.fromhex(each[2:]), 10 * 10**18)
    mine = tmp_path / "mine.json"
    deployed = await asyncio.to_thread(
        CliRunner(mix_stderr=False).invoke,
        cli,
        [
            *("deploy", "batcher", "--deployment", str(cluster.layout.deployment_file)),
            *("--batcher", key.address, "--rpc-url", cluster.network.rpc_urls[0]),
            *("--output", str(mine), "--devnet-account", "4", "--json"),
        ],
    )
    assert deployed.exit_code == 0, deployed.stderr
    port = free_port()
    process = batcher_process(tmp_path, own_settings(cluster, tmp_path, key, mine, port))
    network = NetworkConfig.from_deployment(mine, cluster.network.rpc_urls[0], f"ws://127.0.0.1:{port}")
    try:
        process.start()
        await process.wait_ready(f"http://127.0.0.1:{port}/readyz", READY_S)
        async with AlignedClient(network, account) as client:
            await client.deposit(10**18)
            receipt = (await client.submit([small_proof]))[0].unwrap()
            inclusion = await client.wait(receipt, timeout_s=WAIT_S)
            data = inclusion.verification_data()
            assert await client.verify_onchain(data)
        assert data.sender_address == network.payment_service_bytes != cluster.network.payment_service_bytes
    finally:
        process.stop()


async def test_own_batcher__with_the_devnets_payment_service__refused_at_start(
    cluster: Cluster, tmp_path: Path
) -> None:
    settings = own_settings(
        cluster, tmp_path, Account.create(), cluster.layout.deployment_file, port := free_port()
    )
    process = batcher_process(tmp_path, settings)
    try:
        process.start()
        with pytest.raises(DependencyError, match="batcher_not_in_office"):
            await process.wait_ready(f"http://127.0.0.1:{port}/readyz", READY_S)
    finally:
        process.stop()
