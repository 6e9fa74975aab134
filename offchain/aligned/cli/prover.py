"""prover: an aggregation of proof files, made here: no gateway, no database, no chain."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import click

from aligned.chain.kzg import commitment_of
from aligned.cli.aggregation_proofs import SYSTEMS
from aligned.cli.files import FILE
from aligned.cli.output import Result, command, console
from aligned.cli.outputs import OutputFolder
from aligned.cli.strict import StrictCommand
from aligned.core.aggregation import AggregationSystem
from aligned.core.blob import encode_blobs, versioned_hash
from aligned.core.errors import MALFORMED_MESSAGE, ProtocolError
from aligned.provers.base import ChunkResult, FinalResult, Progress, UserProof
from aligned.provers.commands import worker_command
from aligned.provers.levels import ProvingLevel
from aligned.provers.process import ProcessEngine
from aligned.sdk.aggregation_submission import ProofFiles

_LEVELS = [str(level) for level in ProvingLevel]
_KEY_SUFFIX = {AggregationSystem.SP1: ".vk", AggregationSystem.RISC0: ".id"}


@click.command(cls=StrictCommand)
@click.argument("proofs", nargs=-1, required=True, type=FILE)
@click.option("--system", type=click.Choice(SYSTEMS, case_sensitive=False), required=True)
@click.option("--level", type=click.Choice(_LEVELS), default="native", show_default=True)
@click.option(
    "--key", type=FILE, help="Key of all proofs [default: NAME.vk (SP1) or NAME.id (RISC0) beside each]."
)
@click.option("--chunk-proofs", type=click.IntRange(1), default=256, show_default=True)
@click.option(
    "--output",
    type=OutputFolder(),
    required=True,
    help="Folder for the results; a job that is finished in there is not done again.",
)
@command
async def prover(
    proofs: tuple[Path, ...], system: str, level: str, key: Path | None, chunk_proofs: int, output: Path
) -> Result:
    """Aggregate PROOFS here and print what was checked, what was not, and what it took.

    The same provers that the proof aggregator runs, without gateway, database and chain: to try a level on a machine,
    and to measure it. Each of PROOFS is NAME.proof with its public inputs in NAME.pub. Levels above native need the
    programs that tools/build_prover.sh builds.

    \b
    Example:
      aligned prover --system risc0 --level execute --output out tests/vectors/risc0/fib3_*_composite.proof
    """
    wanted = AggregationSystem.from_wire(system)
    files = [_read(wanted, proof, key) for proof in proofs]
    parts = [files[start : start + chunk_proofs] for start in range(0, len(files), chunk_proofs)]
    commands = functools.partial(worker_command, log=output / "prover.log")
    async with ProcessEngine(ProvingLevel(level), output.absolute(), commands, on_progress=_say) as engine:
        chunks = [await _chunk(engine, wanted, part) for part in parts]
        commitments = [[each.commitment for each in part] for part in parts]
        blobs = encode_blobs([each for part in commitments for each in part])
        hashes = [versioned_hash(commitment_of(blob)) for blob in blobs]
        final = await engine.chunk(wanted, chunks, commitments, hashes)
    return Result(_report(chunks, final, len(files)))


def _read(system: AggregationSystem, proof: Path, key: Path | None) -> ProofFiles:
    key_file = key or proof.with_suffix(_KEY_SUFFIX[system])
    try:
        return ProofFiles(
            system, proof.read_bytes(), key_file.read_bytes(), proof.with_suffix(".pub").read_bytes()
        )
    except OSError as error:
        raise ProtocolError(MALFORMED_MESSAGE, f"{proof}: {error.filename} is not there") from error


async def _chunk(engine: ProcessEngine, system: AggregationSystem, part: Sequence[ProofFiles]) -> ChunkResult:
    proofs = [UserProof(each.proof, each.key, each.public_inputs) for each in part]
    return await engine.user_proofs(system, proofs, [each.commitment for each in part])


def _say(progress: Progress) -> None:
    console.print(f"… {progress.seconds:7.1f} s  {progress.step}", highlight=False)


def _report(chunks: Sequence[ChunkResult], final: FinalResult, count: int) -> dict[str, object]:
    every = [*chunks, final]
    return {
        "system": final.system.wire_name,
        "level": str(final.level),
        "proofs": count,
        "chunks": len(chunks),
        "root": "0x" + final.public_values[:32].hex(),
        "program_id": "0x" + final.program_id.hex(),
        "public_values": "0x" + final.public_values.hex(),
        "proof": "0x" + final.proof.hex(),
        "checked": sorted({each for result in every for each in result.checked}),
        "not_checked": sorted({each for result in every for each in result.not_checked}),
        "cycles": {"user_proofs": [each.cycles for each in chunks], "chunk": final.cycles},
        "seconds": round(sum(each.seconds for each in every), 2),
        "peak_rss_bytes": max(each.peak_rss_bytes for each in every),
        "folder": str(final.directory),
    }
