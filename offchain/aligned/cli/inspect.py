"""proof inspect."""

from __future__ import annotations

from pathlib import Path

import click

from aligned.cli.files import proof_parts
from aligned.cli.output import EXIT_FAILED, EXIT_OK, Result, command
from aligned.cli.strict import StrictGroup
from aligned.core.commitment import commit
from aligned.core.types import VerificationData
from aligned.sdk.proof_warnings import proof_warnings


@click.group(cls=StrictGroup)
def proof() -> None:
    """Look at proof files."""


@proof.command()
@click.option("--verify/--no-verify", default=True, show_default=True, help="Also run the verifier, here.")
@click.argument("proof_file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@command
@proof_parts
async def inspect(data: VerificationData, verify: bool) -> Result:
    """Print what a batch commits to for this proof: sizes, commitments, leaf, and whether it verifies.

    The aux commitment is what a contract checks to know which program or circuit was proved. Files of Circom's other
    tools are read as snarkjs would have written them, and what is changed is said: a batch commits to these bytes.

    \b
    Example:
      aligned proof inspect fib.proof --system SP1 --vk fib.vk
    """
    parts = commit(data)
    warnings = [warning.to_dict() for warning in proof_warnings(data)]
    facts: dict[str, object] = {
        "system": data.proving_system.wire_name,
        "size_bytes": data.size_bytes,
        "proof_commitment": "0x" + parts.proof.hex(),
        "pub_input_commitment": "0x" + parts.pub_input.hex(),
        "aux_commitment": "0x" + parts.aux.hex(),
        "generator": "0x" + parts.generator.hex(),
        "leaf": "0x" + parts.leaf.hex(),
        "warnings": warnings,
    }
    if not verify:
        return Result(facts)
    from aligned.verifiers.pool import VerifierPool

    async with VerifierPool(workers=1) as pool:
        verdict = await pool.verify(data)
    facts |= {
        "valid": verdict.valid,
        "code": verdict.code,
        "reason": verdict.reason,
        "seconds": verdict.seconds,
    }
    return Result(facts, exit_code=EXIT_OK if verdict.valid else EXIT_FAILED)
