"""Files of one proof, as the provers' tools leave them, read into what is submitted."""

from __future__ import annotations

import asyncio
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import aligned_native

from aligned.cli.output import console
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import (
    FAKE_RECEIPT,
    MALFORMED_PROOF,
    MISSING_PUBLIC_INPUT,
    UNSUPPORTED_SYSTEM,
    UNSUPPORTED_VERSION,
    AlignedError,
    ProofError,
)
from aligned.core.types import FIRST_EXTERNAL_SYSTEM, ProvingSystem, VerificationData
from aligned.sdk.aggregation_submission import ProofFiles
from aligned.sdk.circom import normalise
from aligned.sdk.proof_warnings import UnsafeProof, proof_warnings
from aligned.verifiers.base import check_size
from aligned.verifiers.registry import get_verifier

_HEX_KEY = re.compile(rb"\s*(?:0[xX])?((?:[0-9a-fA-F]{2}){32}|(?:[0-9a-fA-F]{2}){104})\s*\Z")
_UNREADABLE = (MALFORMED_PROOF, UNSUPPORTED_VERSION, FAKE_RECEIPT)
_HELD = {
    ProvingSystem.SP1: aligned_native.sp1_public_values,
    ProvingSystem.RISC0: aligned_native.risc0_journal,
}


@dataclass(frozen=True, slots=True)
class Paths:
    """The files of one proof.

    Attributes:
        exact: send each byte for byte, and nothing that is in another file.
    """

    proof: Path
    public_input: Path | None
    vk: Path | None
    program: Path | None
    exact: bool = False


def read_proof(system: ProvingSystem, paths: Paths, generator: bytes) -> VerificationData:
    """What is submitted. What is read in another way than it stands in the files is said, and so are warnings.

    Raises:
        ProofError: a Circom file that is none, with the reason.
    """
    proof, public_input, vk, program = (
        None if path is None else path.read_bytes()
        for path in (paths.proof, paths.public_input, paths.vk, paths.program)
    )
    data = VerificationData(system, proof or b"", public_input, vk, program, generator)
    if not paths.exact:
        data = _understood(data)
    warnings.simplefilter("ignore", UnsafeProof)  # the library's word on what is said here
    for warning in proof_warnings(data):
        _say(f"[bold red]WARNING[/] {warning.code}: {warning.message}")
    return data


def held_public_input(system: ProvingSystem, proof: bytes) -> bytes | None:
    """The public input that a proof's file holds beside the proof."""
    reader = _HELD.get(system)
    return None if reader is None else reader(proof)


def read_files(system: AggregationSystem, proof: Path, key: Path, public_input: Path | None) -> ProofFiles:
    """What is submitted to a gateway. The public input is taken from the proof's file where it has none of its own.

    Raises:
        ProofError: missing_public_input; or what is wrong with a file in which one was sought.
    """
    content = proof.read_bytes()
    if public_input is not None:
        return ProofFiles(system, content, key_bytes(key.read_bytes()), public_input.read_bytes())
    held = held_public_input(system.proving_system, content)
    files = ProofFiles(system, content, key_bytes(key.read_bytes()), held or b"")
    if held is None:
        refusal = aligned_native.verify_aggregatable(int(system), content, b"", files.key)
        if refusal.code in _UNREADABLE:
            raise ProofError(refusal.code, refusal.reason)
        text = f"this {system.wire_name} file holds the proof alone: give --public-input"
        raise ProofError(MISSING_PUBLIC_INPUT, text)
    _say(f"public input: {len(held)} bytes, taken from the proof's file")
    return files


async def refusal_of_aggregation(files: ProofFiles) -> AlignedError | None:
    """Why a gateway would refuse this proof, found here before anything is sent."""
    verdict = await asyncio.to_thread(
        aligned_native.verify_aggregatable, int(files.system), files.proof, files.public_inputs, files.key
    )
    return None if verdict.valid else ProofError(verdict.code, verdict.reason)


def key_bytes(content: bytes) -> bytes:
    """A key of SP1 or an image id of RISC0; as hexadecimal text it is read as the bytes that it stands for."""
    match = _HEX_KEY.match(content)
    if match is None or len(content) == 32:
        return content
    _say("key: hexadecimal text, read as the bytes that it stands for")
    return bytes.fromhex(match[1].decode())


async def refusal_here(data: VerificationData) -> AlignedError | None:
    """Why the batcher would refuse this proof, found here before anything is sent; None also for a system whose
    verifier is not installed here.
    """
    try:
        verifier = get_verifier(data.proving_system)
    except ProofError as error:
        is_external = data.proving_system >= FIRST_EXTERNAL_SYSTEM and error.code == UNSUPPORTED_SYSTEM
        return None if is_external else error
    verdict = check_size(verifier, data)
    if verdict is None:
        verdict = await asyncio.to_thread(verifier.verify, data)
    return None if verdict.valid else ProofError(verdict.code, verdict.reason)


def _understood(data: VerificationData) -> VerificationData:
    if data.proving_system is ProvingSystem.CIRCOM_GROTH16_BN256 and data.vm_program_code is None:
        files = normalise(data.proof, data.pub_input, data.verification_key)
        for change in files.changes:
            _say(f"read as snarkjs would have written it: {change}")
        return files.data(data.proof_generator_addr)
    if data.proving_system not in _HELD:
        return data
    if data.pub_input is None and (held := held_public_input(data.proving_system, data.proof)) is not None:
        _say(f"public input: {len(held)} bytes, taken from the proof's file")
        data = replace(data, pub_input=held)
    vk, program = (
        None if key is None else key_bytes(key) for key in (data.verification_key, data.vm_program_code)
    )
    return replace(data, verification_key=vk, vm_program_code=program)


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)
