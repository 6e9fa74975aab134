"""aggregation: deposit, quota, nonce; the group that holds all commands of aggregation mode."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from eth_account.signers.local import LocalAccount
from rich.console import Group
from rich.table import Table

from aligned.cli import aggregation_proofs, aggregation_roots
from aligned.cli.files import Hex
from aligned.cli.options import aggregation_options, signer_options
from aligned.cli.output import EXIT_FAILED, EXIT_OK, Result, columns, command, ether, fields_table
from aligned.cli.strict import StrictGroup
from aligned.sdk.aggregation import AggregationClient
from aligned.sdk.network import AggregationNetwork
from aligned.wire.gateway import QuotaAnswer


@click.group(cls=StrictGroup)
def aggregation() -> None:
    """Aggregation mode: many proofs, one proof on Ethereum.

    You pay for a number of proofs in a period, submit SP1 or RISC0 proofs to the gateway, and get a Merkle path to a
    root that Ethereum has recorded. Slower than the fast mode, and no operators to trust: the root comes with a proof.

    \b
    A first proof on a devnet (`aligned devnet` in another terminal):
      aligned aggregation deposit --devnet-account 5
      aligned aggregation submit --system sp1 --proof fib.proof --key fib.vk --public-input fib.pub \\
          --wait final --output receipt.json --devnet-account 5
      aligned aggregation verify-inclusion receipt.json

    \b
    How much is proved is the level in a receipt. Below groth16 only a devnet takes it:
      native      the programs ran as plain code; every proof was really verified; nothing is proved to others
      execute     the programs ran in the zkVM; nothing is proved to others
      compressed  (SP1) and composite, succinct (RISC0): a real proof, too large for Ethereum
      groth16     the proof that Ethereum verifies
    """


@aggregation.command()
@click.option("--for", "beneficiary", type=Hex(20), help="Whose quota to buy [default: the signer's].")
@command
@aggregation_options
@signer_options
async def deposit(network: AggregationNetwork, account: LocalAccount, beneficiary: bytes | None) -> Result:
    """Buy one period's quota of proofs, at the contract's price.

    A further payment before the period ends adds to it. What you get is what the terms say now, or nothing is paid.

    \b
    Example:
      aligned aggregation deposit --keystore key.json --password-file key.pass
    """
    async with AggregationClient(network, account) as client:
        terms = await client.terms()
        receipt = await client.deposit(beneficiary)
    return Result(
        {
            "tx_hash": "0x" + receipt.tx_hash.hex(),
            "block": receipt.block_number,
            "gas_used": receipt.gas_used,
            "price_wei": str(terms.price_wei),
            "price": ether(terms.price_wei),
            "proofs": terms.proofs,
            "period_s": terms.period_s,
        }
    )


@aggregation.command()
@click.argument("address", type=Hex(20))
@command
@aggregation_options
async def quota(network: AggregationNetwork, address: bytes) -> Result:
    """Show how many proofs ADDRESS may still submit, and until when. Exit code 1 if none.

    \b
    Example:
      aligned aggregation quota 0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc --json
    """
    async with AggregationClient(network) as client:
        found = await client.quota(address)
    head = fields_table({"address": "0x" + address.hex(), "remaining": found.remaining})
    exit_code = EXIT_OK if found.remaining else EXIT_FAILED
    return Result(found.model_dump(mode="json"), Group(head, _rows(found)), exit_code)


def _rows(found: QuotaAnswer) -> Table:
    table = columns("proofs", "used", "from", "until")
    for row in found.rows:
        table.add_row(str(row.proofs), str(row.used), _time(row.valid_from_s), _time(row.valid_until_s))
    return table


def _time(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return str(seconds)


@aggregation.command()
@click.argument("address", type=Hex(20))
@command
@aggregation_options
async def nonce(network: AggregationNetwork, address: bytes) -> Result:
    """Show the nonce that the next proof of ADDRESS must carry.

    \b
    Example:
      aligned aggregation nonce 0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc
    """
    async with AggregationClient(network) as client:
        return Result({"address": "0x" + address.hex(), "nonce": await client.nonce(address)})


for each in (*aggregation_proofs.COMMANDS, *aggregation_roots.COMMANDS):
    aggregation.add_command(each)
