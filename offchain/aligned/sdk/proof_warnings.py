"""What a user should know of a proof that is valid."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json

from aligned.core.types import ProvingSystem, VerificationData

KEY_WITHOUT_CEREMONY: Final = "key_without_ceremony"
# The generator of the second group, which stands for a secret of 1.
_GENERATOR: Final = [
    [
        "10857046999023057135944570762232829481370756359578518086990519993285655852781",
        "11559732032986387107991004021392285783925812861821192530917403151452391805634",
    ],
    [
        "8495653923123431417604973247489272438418190587263600148770280649306958101930",
        "4082367875863433681332203403145435568316851327593401208105741076214120093531",
    ],
    ["1", "0"],
]


class UnsafeProof(UserWarning):
    """Issued by `submit` for each `ProofWarning`, through Python's `warnings`."""


@dataclass(frozen=True, slots=True)
class ProofWarning:
    """Something that no verifier may refuse.

    Attributes:
        code: stable identifier.
    """

    code: str
    message: str

    def to_dict(self) -> dict[str, str]:
        """JSON form."""
        return {"code": self.code, "message": self.message}


def proof_warnings(data: VerificationData) -> tuple[ProofWarning, ...]:
    """The warnings about a proof that is submitted."""
    is_circom = data.proving_system is ProvingSystem.CIRCOM_GROTH16_BN256
    return key_warnings(data.verification_key) if is_circom else ()


def warn_of(proofs: Iterable[VerificationData]) -> None:
    """Issues each warning about these proofs once; a key is looked at once, however many proofs it is for."""
    circom = ProvingSystem.CIRCOM_GROTH16_BN256
    keys = {data.verification_key for data in proofs if data.proving_system is circom}
    for warning in {warning for key in keys for warning in key_warnings(key)}:
        warnings.warn(f"{warning.code}: {warning.message}", UnsafeProof, stacklevel=2)


def key_warnings(verification_key: bytes | None) -> tuple[ProofWarning, ...]:
    """The warnings about a Groth16 key as snarkjs writes it; none for what is no such key."""
    try:
        key: Any = from_json(verification_key or b"")  # bounds depth, unlike the standard library
        beta, gamma, delta = (key[name] for name in ("vk_beta_2", "vk_gamma_2", "vk_delta_2"))
    except (ValueError, KeyError, TypeError):
        return ()
    phases = [2] if delta in (gamma, _GENERATOR) else []
    phases = [1, *phases] if beta == _GENERATOR else phases
    return tuple(_without_ceremony(phase) for phase in phases)


def _without_ceremony(phase: int) -> ProofWarning:
    found = {1: "β is the generator", 2: "δ is γ, or the generator"}[phase]
    step = {1: "snarkjs powersoftau contribute", 2: "snarkjs zkey contribute"}[phase]
    return ProofWarning(
        KEY_WITHOUT_CEREMONY,
        f"nobody contributed to phase {phase} of this key's setup ({found}): ANYBODY can make a valid proof of ANY "
        f"public inputs under it. Use it for tests only; run `{step}` and export the key again",
    )
