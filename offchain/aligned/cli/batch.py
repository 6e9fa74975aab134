"""batch post: a batch of one's own, straight to Ethereum, without a batcher."""

from __future__ import annotations

from pathlib import Path

import click
from eth_account.signers.local import LocalAccount

from aligned.cli.files import SYSTEM_HELP, Ether, System, read_hex
from aligned.cli.options import TIMEOUT_HELP, UNTIL, network_options, signer_options
from aligned.cli.output import EXIT_FAILED, EXIT_OK, Result, columns, command, console
from aligned.cli.proof_files import Paths, read_proof
from aligned.cli.strict import StrictGroup
from aligned.core.errors import MALFORMED_MESSAGE, ProtocolError
from aligned.core.types import ProvingSystem, VerificationData
from aligned.sdk.client import AlignedClient
from aligned.sdk.depth import Until
from aligned.sdk.network import NetworkConfig
from aligned.sdk.posting import MAX_POST_PROOFS, prepare_batch
from aligned.storage.objects import ObjectStore
from aligned.wire.batch_file import decode_batch


@click.group(cls=StrictGroup)
def batch() -> None:
    """Build and post batches without a batcher."""


@batch.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--system", type=System(), help=f"System of proof FILES: {SYSTEM_HELP}")
@click.option("--generator", help="20-byte address committed in the leaves [default: the signer].")
@click.option(
    "--store", "store_url", required=True, help="Folder, file:// or s3:// URL that the batch is uploaded to."
)
@click.option("--public-url", required=True, help="Where operators download what is in the store.")
@click.option(
    "--fee-limit", type=Ether(), help="Most that the answer may cost you [default: from the gas price]."
)
@click.option(
    "--wait",
    "until",
    type=UNTIL,
    default="included",
    show_default=True,
    help="Wait until the task is on chain, verified, or so deep that it stays so.",
)
@click.option("--timeout", "timeout_s", type=click.FloatRange(1), help=TIMEOUT_HELP)
@command
@network_options
@signer_options
async def post(
    network: NetworkConfig,
    account: LocalAccount,
    files: tuple[Path, ...],
    system: ProvingSystem | None,
    generator: str | None,
    store_url: str,
    public_url: str,
    fee_limit: int | None,
    until: Until,
    timeout_s: float | None,
) -> Result:
    """Upload the proofs in FILES as one batch and open its task on Ethereum, paid by the signer.

    Each of FILES is a batch file (*.cbor), or a proof `NAME.proof` with `NAME.pub`, `NAME.vk` and `NAME.id` (program)
    beside it where it has them; proofs need --system.

    \b
    Example:
      aligned batch post fib_a.proof fib_b.proof --system SP1 --store ./batches \\
          --public-url http://127.0.0.1:8000 --wait verified --devnet-account 6
    """
    address = read_hex(generator or account.address, 20, "--generator")
    proofs = [data for file in files for data in read_proofs(file, system, address)]
    prepared = prepare_batch(proofs)
    store = ObjectStore.from_url(store_url, public_url)
    await store.put(prepared.key, prepared.file)
    async with AlignedClient(network, account) as client:
        with console.status("posting the batch"):
            posted = await client.post_batch(prepared, store.pointer(prepared.key), fee_limit)
        waits = until in ("verified", "final")
        if waits:
            with console.status(f"waiting until the batch is {until}"):
                await client.wait_for_batch(prepared.root, until=until, timeout_s=timeout_s)
        datas = prepared.verification_data(bytes.fromhex(account.address[2:]))
        verified = [await client.verify_onchain(data) for data in datas] if waits else []
    table = columns("#", "leaf", "verified on chain")
    for index, data in enumerate(datas):
        table.add_row(str(index), "0x" + data.leaf.hex(), str(verified[index]) if verified else "not yet")
    answer = {
        "batch_root": "0x" + prepared.root.hex(),
        "pointer": store.pointer(prepared.key),
        "tx_hash": "0x" + posted.tx_hash.hex(),
        "task_block": posted.block_number,
        "verified": all(verified) if verified else None,
        "proofs": [data.to_dict() for data in datas],
    }
    return Result(answer, table, EXIT_OK if all(verified) else EXIT_FAILED)


def read_proofs(file: Path, system: ProvingSystem | None, generator: bytes) -> list[VerificationData]:
    """The proofs of one file: a batch file, or a proof with its companions.

    Raises:
        ProtocolError: malformed_message for a batch file that is none.
        click.UsageError: a proof without --system.
    """
    if file.suffix == ".cbor":
        return decode_batch(file.read_bytes(), MAX_POST_PROOFS)
    if system is None:
        raise click.UsageError(f"{file}: which proving system? give --system")
    if file.suffix != ".proof":
        raise ProtocolError(MALFORMED_MESSAGE, f"{file}: expected NAME.proof or a batch file NAME.cbor")
    pub, vk, program = (_companion(file, suffix) for suffix in (".pub", ".vk", ".id"))
    return [read_proof(system, Paths(file, pub, vk, program), generator)]


def _companion(file: Path, suffix: str) -> Path | None:
    beside = file.with_suffix(suffix)
    return beside if beside.is_file() else None
