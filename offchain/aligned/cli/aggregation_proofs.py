"""aggregation submit, status, receipts, verify-inclusion."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
from eth_account.signers.local import LocalAccount
from rich.console import Group, RenderableType

from aligned.cli.files import FILE, Hex
from aligned.cli.kinds import read_aggregation_receipt
from aligned.cli.options import aggregation_options, signer_options
from aligned.cli.output import (
    EXIT_FAILED,
    EXIT_OK,
    Result,
    can_go_on,
    columns,
    command,
    console,
    fields_table,
)
from aligned.cli.outputs import OutputFile
from aligned.cli.proof_files import read_files, refusal_of_aggregation
from aligned.cli.strict import StrictCommand
from aligned.core.aggregation import AggregationSystem
from aligned.sdk.aggregation import AggregationClient, AggregationUntil
from aligned.sdk.aggregation_models import check_receipt, placement
from aligned.sdk.network import AggregationNetwork
from aligned.wire.gateway import PROOF_STATES, ProofState, Receipt, has_reached

SYSTEMS = [system.wire_name for system in AggregationSystem]
_UNTIL = click.Choice(["mined", "final"])
_ID = click.UUID
_WATCH_S = 1.0


@click.command(cls=StrictCommand)
@click.option("--system", type=click.Choice(SYSTEMS, case_sensitive=False), required=True)
@click.option(
    "--proof", type=FILE, required=True, help="SP1: Compressed proof. RISC0: Composite or Succinct receipt."
)
@click.option(
    "--key", type=FILE, required=True, help="SP1: the 104-byte verifying key. RISC0: the 32-byte image id."
)
@click.option(
    "--public-input",
    type=FILE,
    help="SP1: public values. RISC0: journal [default: that in the proof's file; an InnerReceipt holds none].",
)
@click.option("--nonce", type=click.IntRange(0), help="Nonce to sign [default: the gateway's next one].")
@click.option(
    "--lifetime",
    "lifetime_s",
    type=click.IntRange(1),
    default=600,
    show_default=True,
    help="Seconds that the signature is good for.",
)
@click.option("--wait", "until", type=_UNTIL, help="Wait until the aggregation is in a block, or is final.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(1), default=3_600.0, show_default=True)
@click.option("--output", type=OutputFile(), help="Write the receipt here.")
@command
@aggregation_options
@signer_options
async def submit(
    network: AggregationNetwork,
    account: LocalAccount,
    system: str,
    proof: Path,
    key: Path,
    public_input: Path | None,
    nonce: int | None,
    lifetime_s: int,
    until: AggregationUntil | None,
    timeout_s: float,
    output: Path | None,
) -> Result:
    """Submit a proof to the gateway, which verifies it before it answers; before that it is verified here, so that a
    mistake costs nothing. Submitting the same proof again is harmless.

    Keep the id: `aligned aggregation status` finds the proof again.

    \b
    Example:
      aligned aggregation submit --system sp1 --proof fib.proof --key fib.vk --devnet-account 5
      aligned aggregation submit --system risc0 --proof fib.proof --key fib.id --public-input fib.pub \\
          --wait final --output receipt.json --devnet-account 5
    """
    files = read_files(AggregationSystem.from_wire(system), proof, key, public_input)
    if refusal := await refusal_of_aggregation(files):
        raise refusal
    async with AggregationClient(network, account) as client:
        receipt = await client.submit(files, nonce=nonce, lifetime_s=lifetime_s, timeout_s=timeout_s)
        can_go_on(f"accepted, id {receipt.id}", f"aligned aggregation status {receipt.id}")
        if until is not None:
            with console.status(f"accepted as {receipt.id}; waiting until it is {until}"):
                receipt = await client.wait(receipt, until=until, timeout_s=timeout_s)
    return _shown(receipt, output)


@click.command(cls=StrictCommand)
@click.argument("proof_id", metavar="ID", type=_ID)
@click.option("--watch", is_flag=True, help="Print each change until the proof is final or rejected.")
@click.option("--output", type=OutputFile(), help="Write the receipt here.")
@command
@aggregation_options
async def status(network: AggregationNetwork, proof_id: object, watch: bool, output: Path | None) -> Result:
    """Show where the proof with this ID is, and what happened to it. Exit code 1 if it was rejected.

    States: verifying, pending (in the queue), proving, submitted (transaction sent), mined, final; rejected; unpaid
    while the payment is off the chain.

    \b
    Example:
      aligned aggregation status 6a8f…e1 --watch
    """
    async with AggregationClient(network) as client:
        receipt = await client.receipt(str(proof_id))
        seen = 0
        while watch:
            for change in receipt.history[seen:]:
                console.print(f"{change.at:%H:%M:%S}  {change.state}  {change.detail}", highlight=False)
            seen = len(receipt.history)
            if has_reached(receipt.state, "final"):
                break
            await asyncio.sleep(_WATCH_S)
            receipt = await client.receipt(str(proof_id))
    return _shown(receipt, output)


def _shown(receipt: Receipt, output: Path | None) -> Result:
    exit_code = EXIT_FAILED if receipt.reject is not None else EXIT_OK
    files = {} if output is None else {output: receipt.model_dump_json(indent=2) + "\n"}
    return Result(receipt.model_dump(mode="json"), _human(receipt), exit_code, files)


def _human(receipt: Receipt) -> RenderableType:
    facts: dict[str, object] = {"id": receipt.id, "state": receipt.state, "system": receipt.system}
    facts |= {"program": _hex(receipt.program_id), "commitment": _hex(receipt.commitment)}
    if receipt.nonce is not None:
        facts["nonce"] = receipt.nonce
    if receipt.reject is not None:
        facts["rejected"] = f"{receipt.reject.code}: {receipt.reject.reason}"
    place = receipt.aggregation
    if place is not None:
        facts |= {
            "root": _hex(place.root),
            "leaf": f"{place.leaf_index} of {place.leaf_count}",
            "level": place.level,
        }
        facts |= {"not proved": place.not_proved} if place.not_proved else {}
        facts |= {"transaction": _hex(place.tx_hash), "block": place.block_number} if place.tx_hash else {}
    history = columns("at (UTC)", "state", "detail")
    for change in receipt.history:
        history.add_row(f"{change.at:%Y-%m-%d %H:%M:%S}", change.state, change.detail)
    return Group(fields_table(facts), history)


@click.command(cls=StrictCommand)
@click.argument("address", type=Hex(20))
@click.option("--state", type=click.Choice(sorted(PROOF_STATES)), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@click.option("--cursor", help="Go on where a page ended (its `next`).")
@command
@aggregation_options
async def receipts(
    network: AggregationNetwork, address: bytes, state: ProofState | None, limit: int, cursor: str | None
) -> Result:
    """List the proofs of ADDRESS, newest first.

    \b
    Example:
      aligned aggregation receipts 0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc --state final
    """
    async with AggregationClient(network) as client:
        page = await client.receipts(address, state=state, limit=limit, cursor=cursor)
    table = columns("id", "system", "nonce", "state", "root", "leaf")
    for receipt in page.receipts:
        place = receipt.aggregation
        leaf = "" if place is None or place.leaf_index is None else f"{place.leaf_index}/{place.leaf_count}"
        root = "" if place is None else _short(place.root)
        table.add_row(str(receipt.id), receipt.system, str(receipt.nonce), receipt.state, root, leaf)
    more = f"more: --cursor {page.next}" if page.next else ""
    return Result(page.model_dump(mode="json"), Group(table, more))


@click.command(cls=StrictCommand, name="verify-inclusion")
@click.argument("file", metavar="RECEIPT", type=FILE)
@click.option("--public-input", type=FILE, help="Also check that the receipt is about these public inputs.")
@click.option("--offline", is_flag=True, help="Recompute leaf and path only; ask no chain about the root.")
@command
@aggregation_options
async def verify_inclusion(
    network: AggregationNetwork, file: Path, public_input: Path | None, offline: bool
) -> Result:
    """Say whether the proof in RECEIPT (written by `submit --output`) is aggregated on chain. Exit code 1 if not.

    The contract is asked about the program and public inputs, if they are given, else about their commitment. With
    --offline nothing is asked: commitment, leaf and path are recomputed, and you have to trust the root.

    \b
    Example:
      aligned aggregation verify-inclusion receipt.json --public-input fib.pub
      aligned aggregation verify-inclusion receipt.json --offline
    """
    receipt = read_aggregation_receipt(file)
    inputs = None if public_input is None else public_input.read_bytes()
    check_receipt(receipt, inputs)
    place, index, _path = placement(receipt)
    answer: dict[str, Any] = {"path_holds": True, "root": _hex(place.root), "leaf_index": index}
    answer |= {"leaf_count": place.leaf_count, "level": place.level, "not_proved": place.not_proved}
    if offline:
        return Result(answer | {"on_chain": "not asked"})
    async with AggregationClient(network) as client:
        is_included = await client.verify_inclusion(receipt, inputs)
    return Result(answer | {"on_chain": is_included}, exit_code=EXIT_OK if is_included else EXIT_FAILED)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else "0x" + value.hex()


def _short(value: bytes) -> str:
    return f"0x{value.hex()[:8]}…"


COMMANDS = (submit, status, receipts, verify_inclusion)
