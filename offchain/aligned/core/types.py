"""Plain values that every part shares."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from aligned.core.errors import MALFORMED_MESSAGE, UNKNOWN_PROVING_SYSTEM, ProtocolError

HASH_BYTES = 32
# Ids from here to 255 are free for verifiers that others plug in; they are called "External<id>" on the wire.
FIRST_EXTERNAL_SYSTEM = 64
_EXTERNAL = "External"
ADDRESS_BYTES = 20


class ProvingSystem(IntEnum):
    """Proving systems with the reference's ids: one byte in the leaf, one bit in the disabled bitmap."""

    GNARK_PLONK_BLS12_381 = 0
    GNARK_PLONK_BN254 = 1
    GROTH16_BN254 = 2
    SP1 = 3
    RISC0 = 4
    CIRCOM_GROTH16_BN256 = 5

    @property
    def wire_name(self) -> str:
        """The name that batcher messages and batch files carry."""
        return _WIRE_NAMES.get(self, f"{_EXTERNAL}{int(self)}")

    @classmethod
    def _missing_(cls, value: object) -> ProvingSystem | None:
        """Members for plugged-in systems are made when first asked for."""
        if not isinstance(value, int) or not FIRST_EXTERNAL_SYSTEM <= value <= 255:
            return None
        member = int.__new__(cls, value)
        member._name_, member._value_ = f"EXTERNAL_{value}", value
        return member

    @classmethod
    def from_wire(cls, name: str) -> ProvingSystem:
        """The system called `name` on the wire.

        Raises:
            ProtocolError: unknown_proving_system.
        """
        system = _BY_WIRE_NAME.get(name)
        if system is None and (external := _EXTERNAL_NAME.match(name)):
            system = ProvingSystem(int(external[1]))
        if system is None:
            known = ", ".join(_WIRE_NAMES.values())
            raise ProtocolError(UNKNOWN_PROVING_SYSTEM, f"got {name[:64]!r}, known are {known}")
        return system


_WIRE_NAMES = {
    ProvingSystem.GNARK_PLONK_BLS12_381: "GnarkPlonkBls12_381",
    ProvingSystem.GNARK_PLONK_BN254: "GnarkPlonkBn254",
    ProvingSystem.GROTH16_BN254: "Groth16Bn254",
    ProvingSystem.SP1: "SP1",
    ProvingSystem.RISC0: "Risc0",
    ProvingSystem.CIRCOM_GROTH16_BN256: "CircomGroth16Bn256",
}
# Later releases of the reference renamed system 2; both names mean the same bytes.
_BY_WIRE_NAME = {name: system for system, name in _WIRE_NAMES.items()} | {
    "GnarkGroth16Bn254": ProvingSystem.GROTH16_BN254
}
_EXTERNAL_NAME = re.compile(_EXTERNAL + r"(6[4-9]|[7-9]\d|1\d\d|2[0-4]\d|25[0-5])\Z")


@dataclass(frozen=True, slots=True)
class VerificationData:
    """One proof with all that is needed to verify it.

    Attributes:
        proof_generator_addr: 20 bytes chosen by the submitter and committed in the leaf.
    """

    proving_system: ProvingSystem
    proof: bytes
    pub_input: bytes | None
    verification_key: bytes | None
    vm_program_code: bytes | None
    proof_generator_addr: bytes

    def __post_init__(self) -> None:
        if len(self.proof_generator_addr) != ADDRESS_BYTES:
            raise ProtocolError(
                MALFORMED_MESSAGE,
                f"proof_generator_addr: got {len(self.proof_generator_addr)} bytes, expected 20",
            )

    @property
    def size_bytes(self) -> int:
        """Sum of the blobs' sizes."""
        blobs = (self.proof, self.pub_input, self.verification_key, self.vm_program_code)
        return sum(len(blob) for blob in blobs if blob is not None)


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Where a leaf is in a batch.

    Attributes:
        batch_root: 32 bytes.
        path: concatenated 32-byte siblings, leaf level first.
        index: position of the leaf, bit 0 = lowest level.
    """

    batch_root: bytes
    path: bytes
    index: int
