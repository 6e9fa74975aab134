"""`ape run deploy --network … --account NAME --params FILE`: deploys everything and checks what is on chain.

Addresses go to deployments/<chain id>.json; on a chain that ends with this command only where --output says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from ape import accounts, networks, project
from ape.cli import ConnectedProviderCommand, account_option

from aligned.core.errors import AlignedError
from aligned.devnet.layout import PROJECT
from aligned.devnet.senders import Web3Sender, ape_submit
from aligned.devnet.setup import deploy_named


@click.command(cls=ConnectedProviderCommand)
@account_option(prompt=False)
@click.option("--params", default="devnet", show_default=True, help="Name in deployments/params, or a file.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Where the addresses go.")
def cli(account: Any, params: str, output: Path | None) -> None:
    """Deploy the contracts of both products and verify what is on chain."""
    provider = networks.provider
    if account is None and not provider.network.is_dev:
        raise click.UsageError("--account is needed on a real network")
    project.load_contracts()
    account = account or accounts.test_accounts[0]

    sender = Web3Sender(provider.web3, account.address, ape_submit(provider, account))
    try:
        deployment = deploy_named(sender, provider.web3, params)
    except AlignedError as error:
        raise click.ClickException(str(error)) from error
    if output or not provider.network.is_dev:
        deployment.save(output or PROJECT / "deployments" / f"{provider.chain_id}.json")
    click.echo(deployment.model_dump_json(indent=2))
