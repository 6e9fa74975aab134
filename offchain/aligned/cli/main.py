"""The `aligned` command. Subcommands are imported when they are used, so that `--help` is quick."""

from __future__ import annotations

import importlib
from typing import Final

import click

from aligned.cli.strict import StrictGroup

_COMMANDS: Final = {
    "submit": "aligned.cli.proofs:submit",
    "wait": "aligned.cli.proofs:wait",
    "status": "aligned.cli.proofs:status",
    "verify-onchain": "aligned.cli.proofs:verify_onchain",
    "proof": "aligned.cli.inspect:proof",
    "batch": "aligned.cli.batch:batch",
    "deposit": "aligned.cli.funds:deposit",
    "balance": "aligned.cli.funds:balance",
    "nonce": "aligned.cli.funds:nonce",
    "estimate-fee": "aligned.cli.funds:estimate_fee",
    "fee-cap": "aligned.cli.funds:fee_cap",
    "unlock": "aligned.cli.funds:unlock",
    "lock": "aligned.cli.funds:lock",
    "withdraw": "aligned.cli.funds:withdraw",
    "aggregation": "aligned.cli.aggregation:aggregation",
    "keys": "aligned.cli.keys:keys",
    "batcher": "aligned.cli.roles:batcher",
    "operator": "aligned.cli.roles:operator",
    "aggregator": "aligned.cli.roles:aggregator",
    "poller": "aligned.cli.aggregation_roles:poller",
    "gateway": "aligned.cli.aggregation_roles:gateway",
    "proof-aggregator": "aligned.cli.aggregation_roles:proof_aggregator",
    "prover": "aligned.cli.prover:prover",
    "config": "aligned.cli.admin:config",
    "db": "aligned.cli.database:db",
    "deploy": "aligned.cli.deploy:deploy",
    "devnet": "aligned.cli.devnet:devnet",
    "demo": "aligned.cli.devnet:demo",
}


class LazyGroup(StrictGroup):
    """Loads a subcommand's module only when that subcommand is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        """Names in the order of the table above."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, or None for an unknown name."""
        target = _COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        loaded: click.Command = getattr(importlib.import_module(module), attribute)
        return loaded


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="aligned")
def cli() -> None:
    """Proof verification for Ethereum: submit proofs, run the roles, check results on chain.

    \b
    A user's first proof on a devnet (`ape run devnet` in another terminal):
      aligned deposit 0.1ether --devnet-account 5
      aligned submit --system SP1 --proof fib.proof --vk fib.vk --wait verified --devnet-account 5

    \b
    Aggregation mode, one proof on Ethereum for many:
      aligned aggregation --help

    \b
    Exit codes: 0 ok, 1 failed or "no", 2 wrong usage, 3 a dependency is down, 130 interrupted (Ctrl-C).
    Every command has --json: one object on stdout, messages for people on stderr.
    """


if __name__ == "__main__":
    cli()
