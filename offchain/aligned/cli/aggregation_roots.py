"""aggregation list, show, leaves."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Group

from aligned.cli.aggregation_proofs import SYSTEMS
from aligned.cli.files import Hex
from aligned.cli.options import aggregation_options
from aligned.cli.output import EXIT_FAILED, EXIT_OK, Result, columns, command, fields_table
from aligned.cli.outputs import OutputFile
from aligned.cli.strict import StrictCommand
from aligned.core.aggregation import AggregationSystem
from aligned.sdk.aggregation import AggregationClient
from aligned.sdk.network import AggregationNetwork


@click.command(cls=StrictCommand, name="list")
@click.option("--system", type=click.Choice(SYSTEMS, case_sensitive=False), help="Only this one.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@click.option("--cursor", help="Go on where a page ended (its `next`).")
@command
@aggregation_options
async def list_aggregations(
    network: AggregationNetwork, system: str | None, limit: int, cursor: str | None
) -> Result:
    """List the gateway's aggregations on chain, newest first.

    \b
    Example:
      aligned aggregation list --system sp1
    """
    wanted = None if system is None else AggregationSystem.from_wire(system)
    async with AggregationClient(network) as client:
        page = await client.aggregations(system=wanted, limit=limit, cursor=cursor)
    table = columns("root", "system", "proofs", "blobs", "level", "state", "block")
    for each in page.aggregations:
        cells = (each.system, each.leaf_count, len(each.blobs), each.level, each.state, each.block_number)
        table.add_row("0x" + each.root.hex(), *("" if cell is None else str(cell) for cell in cells))
    more = f"more: --cursor {page.next}" if page.next else ""
    return Result(page.model_dump(mode="json"), Group(table, more))


@click.command(cls=StrictCommand)
@click.argument("root", type=Hex(32))
@command
@aggregation_options
async def show(network: AggregationNetwork, root: bytes) -> Result:
    """Show one ROOT: what the gateway says and what the contract has recorded.

    Exit code 1 if they differ or the root was revoked.

    \b
    Example:
      aligned aggregation show 0x5b…e1 --json
    """
    async with AggregationClient(network) as client:
        said, found = await client.aggregation(root), await client.root_on_chain(root)
    recorded = {
        "system": found.system.wire_name,
        "leaf_count": found.leaf_count,
        "program_id": "0x" + found.program_id.hex(),
        "block_number": found.block_number,
        "tx_hash": "0x" + found.tx_hash.hex(),
        "versioned_hashes": ["0x" + each.hex() for each in found.versioned_hashes],
        "revoked": found.revoked,
    }
    agrees = (said.system, said.leaf_count, said.program_id, tuple(b.versioned_hash for b in said.blobs)) == (
        found.system.wire_name,
        found.leaf_count,
        found.program_id,
        found.versioned_hashes,
    )
    data = {"gateway": said.model_dump(mode="json"), "on_chain": recorded, "agrees": agrees}
    facts = {"root": "0x" + root.hex(), **recorded, "level": said.level, "not proved": said.not_proved}
    is_good = agrees and not found.revoked
    human = fields_table(facts | {"gateway agrees": agrees})
    return Result(data, human, EXIT_OK if is_good else EXIT_FAILED)


@click.command(cls=StrictCommand)
@click.argument("root", type=Hex(32))
@click.option("--output", type=OutputFile(), help="Write the 32-byte commitments here.")
@command
@aggregation_options
async def leaves(network: AggregationNetwork, root: bytes, output: Path | None) -> Result:
    """Fetch the commitments behind ROOT and check them against the root and the blobs that Ethereum verified.

    They come from the beacon nodes given, else from the gateway's archive. A source that gives anything else is named
    and passed over. With them you can make the path of any proof yourself.

    \b
    Example:
      aligned aggregation leaves 0x5b…e1 --beacon-url http://127.0.0.1:5052 --output leaves.bin
    """
    async with AggregationClient(network) as client:
        found = await client.leaves(root)
    refused = [f"{each.source}: {each.code}: {each.message}" for each in found.refused]
    facts: dict[str, object] = {"source": found.source, "checked": "root and versioned hashes"}
    facts |= {"leaf_count": len(found.commitments), "refused": refused}
    table = columns("index", "commitment")
    for index, each in enumerate(found.commitments):
        table.add_row(str(index), "0x" + each.hex())
    commitments = ["0x" + each.hex() for each in found.commitments]
    files = {} if output is None else {output: b"".join(found.commitments)}
    return Result(facts | {"commitments": commitments}, Group(fields_table(facts), table), files=files)


COMMANDS = (list_aggregations, show, leaves)
