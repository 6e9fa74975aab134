"""`ape run deploy --network ethereum:local:foundry --account NAME`: deploys everything, checks the result, notes where.

The parameters are deployments/params/<--params>.yaml. Addresses go to deployments/<chain id>.json, except on a chain
that ends with this command; there only with --output.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from ape import networks, project
from ape.api import AccountAPI
from ape.cli import ConnectedProviderCommand, account_option

from aligned.devnet import layout
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.deploy import deploy
from aligned.devnet.params import DEVNET_CHAIN_ID, DeploymentParams
from aligned.devnet.senders import Web3Sender, anvil_place


def _submit(account: AccountAPI, transaction: dict[str, Any]) -> str:
    """Signs with the Ape account and waits for the receipt."""
    fields = {
        "data": transaction["data"],
        "value": transaction.get("value", 0),
        "receiver": transaction.get("to"),
    }
    return str(account.call(networks.provider.network.ecosystem.create_transaction(**fields)).txn_hash)


@click.command(cls=ConnectedProviderCommand)
@account_option()
@click.option("--params", default="devnet", show_default=True, help="Name of a file in deployments/params.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the addresses."
)
def cli(account: AccountAPI, params: str, output: Path | None) -> None:
    """Deploy the contracts of the fast mode and verify what is on chain."""
    project.load_contracts()
    provider = networks.provider
    sender = Web3Sender(provider.web3, account.address, lambda transaction: _submit(account, transaction))
    place = anvil_place(provider.web3) if provider.chain_id == DEVNET_CHAIN_ID else None
    chosen = DeploymentParams.load(layout.PARAMS / f"{params}.yaml")
    deployment = deploy(sender, chosen, Artifacts.load(layout.ARTIFACTS), place)
    target = output or layout.PROJECT / "deployments" / f"{provider.chain_id}.json"
    if output or not provider.network.is_dev:
        deployment.save(target)
        click.echo(f"addresses written to {target}")
    click.echo(deployment.model_dump_json(indent=2))
