"""The proofs that the demo sends: real ones, and what must be refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from aligned.core import errors
from aligned.core.types import ProvingSystem, VerificationData
from aligned.devnet.layout import PROJECT

VECTORS = PROJECT / "tests" / "vectors"
# Proofs that may be used but not copied into this repository; the demo goes without them where they are absent.
FOREIGN = PROJECT.parent / "shared" / "fixtures" / "groth16" / "sp1.json"
_NO_GENERATOR = bytes(20)

# What a damaged proof may be called: the damage shows while decoding, or only in the last equation.
DAMAGED = frozenset({errors.INVALID_PROOF, errors.MALFORMED_PROOF})
_WRONG_INPUT = frozenset({errors.PUBLIC_INPUT_MISMATCH, errors.INVALID_PROOF})
_WRONG_KEY = frozenset({errors.KEY_MISMATCH, errors.INVALID_PROOF})


@dataclass(frozen=True, slots=True)
class GoodProof:
    """A real proof.

    Attributes:
        mode: how it was proved: Compressed, Composite, Groth16.
        file: its name, for people.
    """

    mode: str
    file: str
    data: VerificationData


@dataclass(frozen=True, slots=True)
class BadProof:
    """Something that must be refused.

    Attributes:
        file: the proof it was made from and what was done to it.
        codes: any of these is the right answer.
    """

    file: str
    data: VerificationData
    codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What became of something that must be refused; code "accepted" is the worst answer.

    Attributes:
        is_control: nothing was wrong with it and it must be taken: only then do the refusals of its variants count.
        reason: what was said with the code.
    """

    file: str
    code: str
    is_right: bool
    is_control: bool = False
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.code}{': ' if self.reason else ''}{self.reason}"


def good_proofs(generator: bytes = _NO_GENERATOR) -> list[GoodProof]:
    """All real proofs at hand."""
    found = [*_sp1(), *_risc0(), *_circom(), *_foreign_sp1("v6.1.0")]
    return [replace(proof, data=replace(proof.data, proof_generator_addr=generator)) for proof in found]


def bad_proofs(generator: bytes = _NO_GENERATOR) -> list[BadProof]:
    """Each real proof damaged in every way, and proofs of versions that are not accepted."""
    bad = [case for proof in good_proofs(generator) for case in _damaged(proof)]
    old_version = frozenset({errors.UNSUPPORTED_VERSION})
    bad += [
        BadProof(f"risc0/{name}: 5.0.0-rc.1", _risc0_data(name), old_version)
        for name in ("fib5_20_composite", "fib5_20_succinct")
    ]
    bad += [BadProof(f"{proof.file}: unsound", proof.data, old_version) for proof in _foreign_sp1("v6.0.0")]
    return bad


def _sp1() -> Iterator[GoodProof]:
    folder = VECTORS / "sp1"
    values = json.loads((folder / "meta.json").read_text())["proofs"]
    for name, key in (("fib_a", "fib"), ("fib_b", "fib"), ("agg", "agg")):
        file = f"{name}.compressed.proof"
        data = VerificationData(
            proving_system=ProvingSystem.SP1,
            proof=(folder / file).read_bytes(),
            pub_input=bytes.fromhex(values[file]["public_values"][2:]),
            verification_key=(folder / f"{key}.vk").read_bytes(),
            vm_program_code=None,
            proof_generator_addr=_NO_GENERATOR,
        )
        yield GoodProof("Compressed", f"sp1/{file}", data)


def _risc0() -> Iterator[GoodProof]:
    for name, mode in (
        ("fib3_20_composite", "Composite"),
        ("fib3_30_composite", "Composite"),
        ("groth16_v3", "Groth16"),
    ):
        yield GoodProof(mode, f"risc0/{name}.proof", _risc0_data(name))


def _risc0_data(name: str) -> VerificationData:
    folder = VECTORS / "risc0"
    return VerificationData(
        proving_system=ProvingSystem.RISC0,
        proof=(folder / f"{name}.proof").read_bytes(),
        pub_input=(folder / f"{name}.pub").read_bytes(),
        verification_key=None,
        vm_program_code=(folder / f"{name}.id").read_bytes(),
        proof_generator_addr=_NO_GENERATOR,
    )


def _circom() -> Iterator[GoodProof]:
    folder = VECTORS / "circom"
    for name in ("preimage_a", "preimage_b"):
        data = VerificationData(
            proving_system=ProvingSystem.CIRCOM_GROTH16_BN256,
            proof=(folder / f"{name}.proof.json").read_bytes(),
            pub_input=(folder / f"{name}.public.json").read_bytes(),
            verification_key=(folder / "verification_key.json").read_bytes(),
            vm_program_code=None,
            proof_generator_addr=_NO_GENERATOR,
        )
        yield GoodProof("Groth16", f"circom/{name}.proof.json", data)


def _foreign_sp1(version: str) -> Iterator[GoodProof]:
    if not FOREIGN.is_file():
        return
    for entry in json.loads(FOREIGN.read_text()):
        if entry["version"].startswith(version):
            data = VerificationData(
                proving_system=ProvingSystem.SP1,
                proof=_unhex(entry["proofBytes"]),
                pub_input=_unhex(entry["publicValues"]),
                verification_key=_unhex(entry["programVKey"]),
                vm_program_code=None,
                proof_generator_addr=_NO_GENERATOR,
            )
            yield GoodProof("Groth16", f"groth16/sp1.json {version}", data)


def _damaged(good: GoodProof) -> Iterator[BadProof]:
    data, name = good.data, good.file
    proof = data.proof
    yield BadProof(f"{name}: flipped byte", replace(data, proof=flip_byte(proof)), DAMAGED)
    yield BadProof(f"{name}: truncated", replace(data, proof=proof[: len(proof) * 2 // 3]), DAMAGED)
    yield BadProof(f"{name}: wrong public values", replace(data, pub_input=_other_input(data)), _WRONG_INPUT)
    yield BadProof(f"{name}: wrong key", _with_other_key(data), _WRONG_KEY)
    yield BadProof(f"{name}: empty", replace(data, proof=b""), frozenset({errors.EMPTY_PROOF}))


def flip_byte(proof: bytes) -> bytes:
    """Changes one bit of the byte in the middle; in JSON of the first digit after it, so that it stays readable."""
    position = len(proof) // 2
    if proof.lstrip()[:1] in (b"{", b"["):
        position = next(at for at in range(position, len(proof)) if proof[at : at + 1].isdigit())
    return proof[:position] + bytes([proof[position] ^ 1]) + proof[position + 1 :]


def _other_input(data: VerificationData) -> bytes:
    assert data.pub_input is not None
    return flip_byte(data.pub_input)


def _with_other_key(data: VerificationData) -> VerificationData:
    """The key of another program or circuit, well-formed, so that it is the proof that does not fit."""
    if data.vm_program_code is not None:
        return replace(data, vm_program_code=flip_byte(data.vm_program_code))
    assert data.verification_key is not None
    if data.proving_system == ProvingSystem.SP1:
        return replace(data, verification_key=_other_sp1_key(data.verification_key))
    return replace(data, verification_key=(VECTORS / "circom" / "other_verification_key.json").read_bytes())


def _other_sp1_key(key: bytes) -> bytes:
    if len(key) == 32:
        return key[:-1] + bytes([key[-1] ^ 1])
    own, other = (VECTORS / "sp1" / f"{name}.vk" for name in ("fib", "agg"))
    return other.read_bytes() if key == own.read_bytes() else own.read_bytes()


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
