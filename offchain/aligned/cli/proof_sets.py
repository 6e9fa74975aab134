"""Several proofs on one command line: each with its own files, in the order in which they are given."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from aligned.cli.files import FILE, SYSTEM_HELP, System, read_hex
from aligned.cli.proof_files import Paths, read_proof, refusal_here
from aligned.core.types import ProvingSystem, VerificationData
from aligned.sdk.client import AlignedClient
from aligned.sdk.models import SubmitResult

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class NamedProof:
    """A proof and the file that it was read from."""

    file: Path
    data: VerificationData


_OPTIONS: Final = (
    click.option("--system", type=System(), required=True, help=SYSTEM_HELP),
    click.option(
        "--proof",
        "proof_files",
        type=FILE,
        required=True,
        multiple=True,
        help="The proof as its prover saved it; again for each further proof.",
    ),
    click.option(
        "--public-input",
        "public_inputs",
        type=FILE,
        multiple=True,
        help="Public values, journal or public inputs, one for each --proof, in the same order [default: those in the"
        " proof's file, where it holds them].",
    ),
    click.option(
        "--vk",
        "keys",
        type=FILE,
        multiple=True,
        help="Verification key (SP1: the 104-byte key or its 32-byte hash); one for all proofs, or one for each.",
    ),
    click.option(
        "--program",
        "programs",
        type=FILE,
        multiple=True,
        help="Program identity (RISC0: the 32-byte image id); one for all proofs, or one for each.",
    ),
    click.option(
        "--generator", help="20-byte address committed in the leaf [default: the signer, else zero]."
    ),
    click.option("--exact", is_flag=True, help="Send the files byte for byte, as they are."),
)


def proof_set_options(function: F) -> F:
    """Adds --proof and the other files, all repeatable; the command receives `proofs: list[NamedProof]`."""

    @functools.wraps(function)
    def with_proofs(
        *args: Any,
        system: ProvingSystem,
        proof_files: tuple[Path, ...],
        public_inputs: tuple[Path, ...],
        keys: tuple[Path, ...],
        programs: tuple[Path, ...],
        generator: str | None,
        exact: bool,
        **options: Any,
    ) -> Any:
        count = len(proof_files)
        inputs = paired("--public-input", public_inputs, count, is_shared=False)
        own_keys = paired("--vk", keys, count, is_shared=True)
        own_programs = paired("--program", programs, count, is_shared=True)
        account = options.get("account")
        address = read_hex(generator or (account.address if account else "0x" + "00" * 20), 20, "--generator")
        sets = zip(proof_files, inputs, own_keys, own_programs, strict=True)
        proofs = [NamedProof(files[0], read_proof(system, Paths(*files, exact), address)) for files in sets]
        return function(*args, proofs=proofs, **options)

    for option in reversed(_OPTIONS):
        with_proofs = option(with_proofs)
    return with_proofs  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Terms:
    """How proofs are submitted; see `AlignedClient.submit`."""

    max_fee_wei: int | None
    nonce: int | None
    timeout_s: float


async def submit_all(
    client: AlignedClient, proofs: Sequence[NamedProof], repetitions: int, terms: Terms
) -> list[SubmitResult]:
    """One result for each repetition of each proof. What is refused here already is not sent; the others are."""
    refusals = [await refusal_here(proof.data) for proof in proofs]
    wanted = [
        (proof.data, refusal)
        for proof, refusal in zip(proofs, refusals, strict=True)
        for _ in range(repetitions)
    ]
    good = [data for data, refusal in wanted if refusal is None]
    sent = (
        await client.submit(good, max_fee_wei=terms.max_fee_wei, nonce=terms.nonce, timeout_s=terms.timeout_s)
        if good
        else []
    )
    answers = iter(sent)
    return [
        replace(next(answers), index=index) if refusal is None else SubmitResult(index, data, error=refusal)
        for index, (data, refusal) in enumerate(wanted)
    ]


def paired(option: str, files: Sequence[Path], proofs: int, *, is_shared: bool) -> list[Path | None]:
    """The file of each proof.

    Args:
        is_shared: whether one file may be meant for all proofs.

    Raises:
        click.UsageError: another number of files.
    """
    if not files:
        return [None] * proofs
    if len(files) == proofs:
        return list(files)
    if is_shared and len(files) == 1:
        return [files[0]] * proofs
    one = ", or one for all of them" if is_shared else ""
    raise click.UsageError(
        f"{option} is given {len(files)} times for {proofs} times --proof: expected one for each, in their order{one}"
    )


def result_names(files: Sequence[Path]) -> list[str]:
    """A file name for the result of each proof, none twice: NAME.json, and NAME-INDEX.json where several have one
    name.
    """
    stems = [file.name.split(".")[0] or file.name for file in files]
    counts = Counter(stems)
    taken = {stem for stem in stems if counts[stem] == 1}
    names = []
    for index, stem in enumerate(stems):
        name = stem
        if counts[stem] > 1:
            while name == stem or name in taken:
                name = f"{name}-{index}"
        taken.add(name)
        names.append(f"{name}.json")
    return names
