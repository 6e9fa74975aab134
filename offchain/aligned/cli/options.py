"""Options that many commands share: where the deployment is, and who signs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from eth_account.signers.local import LocalAccount

from aligned.chain.deployment import Deployment
from aligned.chain.keys import load_ecdsa, read_password
from aligned.sdk.accounts import devnet_account
from aligned.sdk.network import (
    DEVNET,
    DEVNET_AGGREGATION,
    DEVNET_CHAIN_ID,
    AggregationNetwork,
    NetworkConfig,
)

F = TypeVar("F", bound=Callable[..., Any])
PASSWORD_ENV = "ALIGNED_KEYSTORE_PASSWORD"  # noqa: S105 the name of a variable, not a password

# "posted" is the older name of "included".
UNTIL = click.Choice(["included", "posted", "verified", "final"])
TIMEOUT_HELP = "Seconds to wait [default: 600, with final 1800]."


def network_options(function: F) -> F:
    """Adds --network, --rpc-url, --batcher-url; the command receives `network: NetworkConfig`."""

    @click.option(
        "--network",
        "network_name",
        envvar="ALIGNED_NETWORK",
        default="devnet",
        show_default=True,
        help="'devnet', or a deployment file (JSON, with the addresses of the contracts).",
    )
    @click.option("--rpc-url", envvar="ALIGNED_RPC_URL", help="Ethereum endpoint [default: the network's].")
    @click.option("--batcher-url", envvar="ALIGNED_BATCHER_URL", help="ws:// or wss:// URL of the batcher.")
    @functools.wraps(function)
    def with_network(
        *args: Any, network_name: str, rpc_url: str | None, batcher_url: str | None, **options: Any
    ) -> Any:
        return function(*args, network=read_network(network_name, rpc_url, batcher_url), **options)

    return with_network  # type: ignore[return-value]


def read_network(name: str, rpc_url: str | None, batcher_url: str | None) -> NetworkConfig:
    """The deployment called `name` through the given endpoints.

    Raises:
        click.UsageError: a file that is not there, or endpoints missing for a deployment file.
    """
    if name == "devnet":
        return DEVNET.at(rpc_url, batcher_url)
    file = deployment_file(name)
    if rpc_url is None:
        raise click.UsageError("a deployment file says nothing about endpoints: give --rpc-url as well")
    return NetworkConfig.from_deployment(file, rpc_url, batcher_url or DEVNET.batcher_url)


def aggregation_options(function: F) -> F:
    """Adds --network, --rpc-url, --gateway-url, --beacon-url; the command receives `network: AggregationNetwork`."""

    @click.option(
        "--network",
        "network_name",
        envvar="ALIGNED_NETWORK",
        default="devnet",
        show_default=True,
        help="'devnet', or a deployment file (JSON, with the addresses of the contracts).",
    )
    @click.option("--rpc-url", envvar="ALIGNED_RPC_URL", help="Ethereum endpoint [default: the network's].")
    @click.option("--gateway-url", envvar="ALIGNED_GATEWAY_URL", help="The gateway [default: the network's].")
    @click.option(
        "--beacon-url",
        "beacon_urls",
        envvar="ALIGNED_BEACON_URLS",
        multiple=True,
        help="A beacon node that may have the blobs; may be given again.",
    )
    @functools.wraps(function)
    def with_network(
        *args: Any,
        network_name: str,
        rpc_url: str | None,
        gateway_url: str | None,
        beacon_urls: tuple[str, ...],
        **options: Any,
    ) -> Any:
        network = read_aggregation_network(network_name, rpc_url, gateway_url)
        return function(*args, network=network.at(beacon_urls=beacon_urls), **options)

    return with_network  # type: ignore[return-value]


def read_aggregation_network(name: str, rpc_url: str | None, gateway_url: str | None) -> AggregationNetwork:
    """Aggregation mode of the deployment called `name`, through the given endpoints.

    Raises:
        click.UsageError: a file that is not there, or endpoints missing for a deployment file.
    """
    if name == "devnet":
        return DEVNET_AGGREGATION.at(rpc_url, gateway_url)
    file = deployment_file(name)
    if rpc_url is None or gateway_url is None:
        raise click.UsageError(
            "a deployment file says nothing about endpoints: give --rpc-url and --gateway-url as well"
        )
    return AggregationNetwork.of(Deployment.load(file), rpc_url, gateway_url)


def deployment_file(name: str) -> Path:
    """The file that --network names.

    Raises:
        click.UsageError: it is not there.
    """
    file = Path(name)
    if not file.is_file():
        raise click.UsageError(
            f"--network {name!r}: neither 'devnet' nor a deployment file that is there; the operator of the network"
            " publishes it, and `aligned devnet` writes one into its folder (deployment.json)"
        )
    return file


def key_options(function: F) -> F:
    """Adds --keystore, --password-file, --devnet-account as they are; see `read_signer`."""

    @click.option(
        "--keystore",
        envvar="ALIGNED_KEYSTORE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Encrypted Ethereum keystore (JSON) that signs and pays.",
    )
    @click.option(
        "--password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help=f"File with its password; otherwise ${PASSWORD_ENV} is read.",
    )
    @click.option(
        "--devnet-account",
        type=click.IntRange(0, 99),
        help=f"Account number of the devnet's well-known mnemonic; chain id {DEVNET_CHAIN_ID} only.",
    )
    @functools.wraps(function)
    def with_keys(*args: Any, **options: Any) -> Any:
        return function(*args, **options)

    return with_keys  # type: ignore[return-value]


def signer_options(function: F) -> F:
    """Adds `key_options`; the command receives `account: LocalAccount`."""

    @key_options
    @functools.wraps(function)
    def with_signer(
        *args: Any,
        keystore: Path | None,
        password_file: Path | None,
        devnet_account: int | None,
        **options: Any,
    ) -> Any:
        network = options["network"]
        account = read_signer(network.chain_id, keystore, password_file, devnet_account)
        return function(*args, account=account, **options)

    return with_signer  # type: ignore[return-value]


def read_signer(
    chain_id: int, keystore: Path | None, password_file: Path | None, number: int | None
) -> LocalAccount:
    """The account that exactly one of keystore and devnet number names.

    Raises:
        click.UsageError: none or both, no password, or a devnet account off the devnet.
    """
    if (keystore is None) == (number is None):
        raise click.UsageError("who signs? give --keystore FILE, or --devnet-account N on the devnet")
    if number is not None:
        if chain_id != DEVNET_CHAIN_ID:
            raise click.UsageError(f"--devnet-account: its key is public, and this is chain {chain_id}")
        return devnet_account(number)
    assert keystore is not None
    return load_ecdsa(keystore, read_password(password_file, PASSWORD_ENV))


def config_option(function: F) -> F:
    """Adds --config; the command receives `config: Path | None`."""
    return click.option(
        "--config",
        envvar="ALIGNED_CONFIG",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Settings file (TOML); see aligned.example.toml. The environment wins: ALIGNED__SECTION__FIELD.",
    )(function)
