"""deploy batcher: the contract that a batcher of one's own needs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from eth_account.signers.local import LocalAccount
from eth_utils import to_checksum_address

from aligned.chain.deployment import Deployment
from aligned.cli.files import Ether, Hex
from aligned.cli.options import key_options, read_signer
from aligned.cli.output import Result, command
from aligned.cli.outputs import OutputFile
from aligned.cli.strict import StrictGroup
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError, ProtocolError
from aligned.sdk.network import DEVNET, DEVNET_CHAIN_ID

_DEFAULT_FEE_CAP = "0.02ether"


@click.group(cls=StrictGroup)
def deploy() -> None:
    """Deploy contracts of one's own beside a deployment that exists. (`ape run deploy` deploys everything.)"""


@deploy.command(name="batcher")
@click.option(
    "--deployment",
    "deployment_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The deployment whose contracts are used: deployments/1.json, or .aligned/devnet/deployment.json.",
)
@click.option("--batcher", type=Hex(20), required=True, help="Account that the batcher will send from.")
@click.option(
    "--admin",
    type=Hex(20),
    help="May upgrade the contract, pause its intake and name another batcher [default: the signer].",
)
@click.option(
    "--fee-cap",
    type=Ether(),
    default=_DEFAULT_FEE_CAP,
    show_default=True,
    help="Most that a user is charged for one proof unless he says otherwise.",
)
@click.option(
    "--rpc-url", envvar="ALIGNED_RPC_URL", help="Ethereum endpoint [default on a devnet: port 8545]."
)
@click.option(
    "--output",
    type=OutputFile(),
    required=True,
    help="Where the new deployment file goes; not there yet.",
)
@command
@key_options
async def deploy_batcher(
    deployment_file: Path,
    batcher: bytes,
    admin: bytes | None,
    fee_cap: int,
    rpc_url: str | None,
    output: Path,
    keystore: Path | None,
    password_file: Path | None,
    devnet_account: int | None,
) -> Result:
    """Deploy a payment service, so that you can run a batcher against contracts that exist.

    Users of your batcher deposit there. The new deployment file is the old one with your payment service in it: name it
    in the batcher's settings (chain.deployment_file), and give it to your users, who name it with --network.

    \b
    Example:
      aligned deploy batcher --deployment .aligned/devnet/deployment.json --output mine.json \\
          --batcher 0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65 --devnet-account 4
    """
    deployment = Deployment.load(deployment_file)
    account = read_signer(deployment.chain_id, keystore, password_file, devnet_account)
    if output.exists():
        raise click.UsageError(f"{output} exists; a deployment file is never overwritten")
    if rpc_url is None and deployment.chain_id != DEVNET_CHAIN_ID:
        raise click.UsageError("a deployment file says nothing about endpoints: give --rpc-url as well")
    if fee_cap == 0:
        raise click.UsageError("--fee-cap: nobody could be charged anything; expected more than 0")
    done = await asyncio.to_thread(
        _deploy,
        deployment,
        account,
        rpc_url or DEVNET.rpc_urls[0],
        _text(batcher),
        None if admin is None else _text(admin),
        fee_cap,
    )
    return Result(
        {
            "payment_service": done.payment_service,
            "service_manager": done.service_manager,
            "batcher": _text(batcher),
            "admin": account.address if admin is None else _text(admin),
            "file": str(output),
        },
        files={output: done.model_dump_json(indent=2) + "\n"},
    )


def _deploy(
    deployment: Deployment,
    account: LocalAccount,
    rpc_url: str,
    batcher: str,
    admin: str | None,
    fee_cap_wei: int,
) -> Deployment:
    # Only here: web3 and the compiler's output are of no use to other commands.
    from requests.exceptions import RequestException
    from web3 import HTTPProvider, Web3
    from web3.exceptions import Web3Exception

    from aligned.devnet import layout
    from aligned.devnet.artifacts import Artifacts
    from aligned.devnet.deploy_batcher import deploy_batcher as run
    from aligned.devnet.senders import Web3Sender, local_account_submit

    web3 = Web3(HTTPProvider(rpc_url))
    sender = Web3Sender(web3, account.address, local_account_submit(web3, account))
    artifacts = Artifacts.load(layout.ARTIFACTS)
    try:
        return run(sender, artifacts, deployment, batcher, admin=admin, fee_cap_wei=fee_cap_wei)
    except RequestException as error:
        text = f"the node does not answer ({type(error).__name__}): is it running? --rpc-url names another"
        raise DependencyError(CHAIN_UNAVAILABLE, text) from None
    except Web3Exception as error:
        raise ProtocolError("deployment_failed", f"{type(error).__name__}: {error}"[:500]) from None


def _text(address: bytes) -> str:
    return str(to_checksum_address(address))
