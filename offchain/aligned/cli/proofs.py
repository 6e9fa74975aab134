"""submit, wait, status, verify-onchain."""

from __future__ import annotations

from pathlib import Path

import click
from eth_account.signers.local import LocalAccount
from rich.markup import escape
from rich.table import Table

from aligned.cli.advice import advice
from aligned.cli.files import Ether, Hex
from aligned.cli.kinds import read_verification_data
from aligned.cli.options import TIMEOUT_HELP, UNTIL, network_options, signer_options
from aligned.cli.output import EXIT_FAILED, EXIT_OK, Result, can_go_on, columns, command, console
from aligned.cli.outputs import OutputFile, OutputFolder
from aligned.cli.proof_sets import NamedProof, Terms, proof_set_options, result_names, submit_all
from aligned.cli.strict import StrictCommand
from aligned.core.commitment import commit
from aligned.core.errors import AlignedError
from aligned.sdk.client import AlignedClient
from aligned.sdk.depth import Until
from aligned.sdk.models import Inclusion, Receipt, Submission, SubmitResult
from aligned.sdk.network import NetworkConfig

_SUBMIT_S = 600.0


@click.command(cls=StrictCommand)
@click.option(
    "--repetitions",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="Submit each proof so often.",
)
@click.option("--max-fee", type=Ether(), help="Most that one proof may cost [default: the quote].")
@click.option("--nonce", type=click.IntRange(0), help="Nonce of the first proof; replaces a queued one.")
@click.option("--wait", "until", type=UNTIL, help="Wait until the proof is on chain, verified, or final.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(1), help=TIMEOUT_HELP)
@click.option("--output", type=OutputFile(), help="Write the data of the proof here, for verify-onchain.")
@click.option(
    "--output-dir", type=OutputFolder(), help="Write the data of each proof into this folder, as NAME.json."
)
@command
@network_options
@signer_options
@proof_set_options
async def submit(
    network: NetworkConfig,
    account: LocalAccount,
    proofs: list[NamedProof],
    repetitions: int,
    max_fee: int | None,
    nonce: int | None,
    until: Until | None,
    timeout_s: float | None,
    output: Path | None,
    output_dir: Path | None,
) -> Result:
    """Submit a proof, or several of one proving system, to the batcher. They are verified here first, so that a
    mistake costs nothing.

    With --wait the answer is what `verifyBatchInclusion` takes on chain. Without it, keep the leaf: `aligned wait`
    finds the proof again.

    Several proofs: --proof for each, --public-input for each in the same order, and --vk or --program once for all of
    them or for each.

    \b
    Examples:
      aligned submit --system SP1 --proof fib.proof --vk fib.vk --devnet-account 5
      aligned submit --system CircomGroth16Bn256 --proof proof.json --public-input public.json \\
          --vk verification_key.json --devnet-account 5
      aligned submit --system Risc0 --proof fib.proof --program fib.id --public-input fib.pub \\
          --wait verified --json --keystore key.json --password-file key.pass > verified.json
      aligned submit --system SP1 --vk fib.vk --proof a.proof --proof b.proof \\
          --wait verified --output-dir results --devnet-account 5
    """
    wanted = [proof for proof in proofs for _ in range(repetitions)]
    places = _places(wanted, until, output, output_dir)
    async with AlignedClient(network, account) as client:
        terms = Terms(max_fee, nonce, timeout_s or _SUBMIT_S)
        results = await submit_all(client, proofs, repetitions, terms)
        _announce(wanted, results)
        rows: list[dict[str, object]] = []
        files: dict[Path, str] = {}
        for proof, result, place in zip(wanted, results, places, strict=True):
            inclusion = await _follow(client, result, until, timeout_s)
            rows.append(_row(proof, result, inclusion, place))
            if place is not None and isinstance(inclusion, Inclusion):
                files[place] = inclusion.verification_data().to_json(result.warnings) + "\n"
    is_good = all("error" not in row for row in rows)
    return Result({"ok": is_good, "proofs": rows}, _table(rows), EXIT_OK if is_good else EXIT_FAILED, files)


def _places(
    proofs: list[NamedProof], until: Until | None, output: Path | None, output_dir: Path | None
) -> list[Path | None]:
    """Where the data of each proof is written; nowhere if that was not asked for."""
    if output is None and output_dir is None:
        return [None] * len(proofs)
    if output is not None and output_dir is not None:
        raise click.UsageError("--output or --output-dir, not both")
    if until is None:
        raise click.UsageError("there is nothing to write before a proof is posted: give --wait as well")
    if output_dir is not None:
        return [output_dir / name for name in result_names([proof.file for proof in proofs])]
    if len(proofs) > 1:
        raise click.UsageError(
            f"--output takes the data of one proof, these are {len(proofs)}: use --output-dir"
        )
    return [output]


def _announce(proofs: list[NamedProof], results: list[SubmitResult]) -> None:
    """The leaves at once: whatever happens to this command, they find the proofs again."""
    for proof, result in zip(proofs, results, strict=True):
        if result.receipt is not None:
            leaf = "0x" + result.receipt.leaf.hex()
            can_go_on(f"{proof.file.name} accepted, leaf {leaf}", f"aligned wait {leaf}")


async def _follow(
    client: AlignedClient, result: SubmitResult, until: Until | None, timeout_s: float | None
) -> Inclusion | AlignedError | None:
    if result.receipt is None:
        return result.error
    if until is None:
        return None
    try:
        with console.status(f"waiting until 0x{result.receipt.leaf.hex()[:8]}… is {until}"):
            return await client.wait(result.receipt, until=until, timeout_s=timeout_s)
    except AlignedError as error:
        return error


def _row(
    proof: NamedProof, result: SubmitResult, inclusion: Inclusion | AlignedError | None, place: Path | None
) -> dict[str, object]:
    row: dict[str, object] = {"index": result.index, "proof": str(proof.file)}
    row |= {"leaf": "0x" + commit(result.data).leaf.hex()}
    if isinstance(result.receipt, Receipt):
        row["receipt"] = result.receipt.to_dict()
    if result.warnings:
        row["warnings"] = [warning.to_dict() for warning in result.warnings]
    if isinstance(inclusion, Inclusion):
        row["state"] = str(inclusion.state)
        row["confirmations"] = inclusion.confirmations
        row["verification_data"] = inclusion.verification_data().to_dict(result.warnings)
        row |= {} if place is None else {"file": str(place)}
    if isinstance(inclusion, AlignedError):
        step = advice(inclusion)
        row["error"] = {
            "code": inclusion.code,
            "message": inclusion.message,
            "context": inclusion.context,
            **({} if step is None else {"next": step}),
        }
    return row


def _table(rows: list[dict[str, object]]) -> Table:
    table = columns("#", "proof", "leaf", "result")
    for row in rows:
        error = row.get("error")
        outcome = row.get("state", "accepted")
        if isinstance(error, dict):
            step = f"\nnext: {error['next']}" if "next" in error else ""
            outcome = f"[red]{error['code']}[/]: {escape(error['message'] + step)}"
        table.add_row(str(row["index"]), escape(Path(str(row["proof"])).name), str(row["leaf"]), str(outcome))
    return table


@click.command(cls=StrictCommand)
@click.argument("leaf", type=Hex(32))
@click.option("--until", type=UNTIL, default="verified", show_default=True)
@click.option("--timeout", "timeout_s", type=click.FloatRange(1), help=TIMEOUT_HELP)
@command
@network_options
async def wait(network: NetworkConfig, leaf: bytes, until: Until, timeout_s: float | None) -> Result:
    """Wait until the proof with this LEAF is in a batch on chain, until that is verified, or until it is final.

    A verified batch can leave the chain in a reorganisation, and is then posted again; a final one lies so deep (64
    blocks, about thirteen minutes) that it cannot.

    \b
    Example:
      aligned wait 0x5b…e1 --until verified --timeout 120
    """
    async with AlignedClient(network) as client:
        inclusion = await client.wait(leaf, until=until, timeout_s=timeout_s)
    proof = inclusion.proof
    return Result(
        {
            "leaf": "0x" + leaf.hex(),
            "state": str(inclusion.state),
            "confirmations": inclusion.confirmations,
            "batch_root": "0x" + proof.batch_root.hex(),
            "index": proof.index,
            "merkle_path": "0x" + proof.path.hex(),
            "sender_address": "0x" + inclusion.sender_address.hex(),
            "tx_hash": None if inclusion.tx_hash is None else "0x" + inclusion.tx_hash.hex(),
        }
    )


@click.command(cls=StrictCommand)
@click.argument("leaf", type=Hex(32))
@command
@network_options
async def status(network: NetworkConfig, leaf: bytes) -> Result:
    """Show what the batcher knows about a LEAF: place in the queue, batch, or why it was refused.

    \b
    Example:
      aligned status 0x5b…e1 --json
    """
    async with AlignedClient(network) as client:
        rows = [_submission(row) for row in await client.status(leaf)]
    table = Table("sender", "nonce", "state", "blocks", "position", "batch", "reason")
    for row in rows:
        cells = (
            row[name]
            for name in ("sender", "nonce", "state", "confirmations", "position", "batch_root", "reason")
        )
        table.add_row(*("" if cell is None else str(cell) for cell in cells))
    data = {"leaf": "0x" + leaf.hex(), "submissions": rows}
    if not rows:
        text = "the batcher knows no proof with this leaf: was it sent to another one (--batcher-url), or not taken?"
        return Result(data, text, EXIT_FAILED)
    return Result(data, table, EXIT_OK if rows else EXIT_FAILED)


def _submission(row: Submission) -> dict[str, object]:
    return {
        "sender": "0x" + row.sender.hex(),
        "nonce": row.nonce,
        "state": str(row.state),
        "confirmations": row.confirmations,
        "position": row.position,
        "batch_root": None if row.inclusion is None else "0x" + row.inclusion.batch_root.hex(),
        "index": None if row.inclusion is None else row.inclusion.index,
        "tx_hash": None if row.tx_hash is None else "0x" + row.tx_hash.hex(),
        "reason": row.reason,
    }


@click.command(cls=StrictCommand, name="verify-onchain")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@command
@network_options
async def verify_onchain(network: NetworkConfig, file: Path) -> Result:
    """Ask the contract whether the proof in FILE (written by `submit --output`) is verified. Exit code 1 if not.

    \b
    Example:
      aligned submit … --wait verified --output fib.json && aligned verify-onchain fib.json
    """
    data = read_verification_data(file)
    async with AlignedClient(network) as client:
        is_verified = await client.verify_onchain(data)
    answer = {
        "verified": is_verified,
        "leaf": "0x" + data.leaf.hex(),
        "batch_root": "0x" + data.batch_root.hex(),
    }
    return Result(answer, exit_code=EXIT_OK if is_verified else EXIT_FAILED)
