"""A Groth16 key on BN254 whose secrets are known, and proofs made with them: for tests and gas figures only.

The real keys' secrets were destroyed, so nobody can prove with them what no program did; and a real proof of the
aggregation takes a big machine. Whoever knows the secrets makes a proof for any public inputs with a few
multiplications: the contracts do exactly the same work for it as for a real one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from py_ecc import optimized_bn128 as curve

P: int = curve.field_modulus
R: int = curve.curve_order
INPUTS = 5
HASH_MASK = (1 << 253) - 1


def word(value: int) -> bytes:
    """32 bytes, big-endian."""
    return value.to_bytes(32, "big")


@cache
def g1(scalar: int) -> tuple[int, int]:
    """Scalar · G1, affine."""
    x, y = curve.normalize(curve.multiply(curve.G1, scalar % R))
    return int(x), int(y)


@cache
def g2(scalar: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Scalar · G2, affine, imaginary parts first (EIP-197)."""
    x, y = curve.normalize(curve.multiply(curve.G2, scalar % R))
    return (int(x.coeffs[1]), int(x.coeffs[0])), (int(y.coeffs[1]), int(y.coeffs[0]))


def _secret(name: str) -> int:
    return int.from_bytes(hashlib.sha512(f"aligned test key: {name}".encode()).digest(), "big") % R


@dataclass(frozen=True)
class TrapdoorKey:
    """The secrets of a key for five public inputs."""

    alpha: int
    beta: int
    gamma: int
    delta: int
    ic: tuple[int, ...]

    @classmethod
    def make(cls, label: str = "") -> TrapdoorKey:
        """Always the same key for a label."""
        alpha, beta, gamma, delta = (_secret(label + name) for name in ("alpha", "beta", "gamma", "delta"))
        return cls(alpha, beta, gamma, delta, tuple(_secret(f"{label}ic {i}") for i in range(INPUTS + 1)))

    def abi(self) -> tuple[Any, ...]:
        """As the contracts' constructors take it (`Groth16Key`)."""
        points = [g1(scalar) for scalar in self.ic]
        return g1(self.alpha), g2(self.beta), g2(self.gamma), g2(self.delta), points

    def prove(self, inputs: list[int], salt: str = "") -> bytes:
        """A ‖ B ‖ C, 256 bytes; another salt gives another proof of the same."""
        total = self.ic[0] + sum(a * b for a, b in zip(inputs, self.ic[1:], strict=True))
        a, b = _secret(f"a{salt}"), _secret(f"b{salt}")
        c = (a * b - self.alpha * self.beta - self.gamma * total) * pow(self.delta, -1, R)
        (bx, by) = g2(b)
        return b"".join(word(value) for value in (*g1(a), *bx, *by, *g1(c)))


@dataclass(frozen=True)
class SP1Prover:
    """Makes proofs in the format of SP1's circuits v6 under a key with known secrets."""

    key: TrapdoorKey
    program_id: bytes
    selector: bytes
    vk_root: bytes

    def prove(self, public_values: bytes, nonce: int = 0, salt: str = "", **wrong: int) -> bytes:
        """356 bytes. `wrong` changes what is proved: program, exit_code, vk_root."""
        digest = int.from_bytes(hashlib.sha256(public_values).digest(), "big") & HASH_MASK
        program = wrong.get("program", int.from_bytes(self.program_id, "big"))
        root = wrong.get("vk_root", int.from_bytes(self.vk_root, "big"))
        exit_code = wrong.get("exit_code", 0)
        points = self.key.prove([program, digest, exit_code, root, nonce], salt)
        return self.selector + word(exit_code) + word(root) + word(nonce) + points


@dataclass(frozen=True)
class Risc0Prover:
    """Makes seals in RISC Zero's format under a key with known secrets."""

    key: TrapdoorKey
    program_id: bytes
    control_root: bytes
    control_id: bytes

    @property
    def selector(self) -> bytes:
        """First bytes of the seals."""
        return parameters_digest(self.control_root, self.control_id, key_digest(self.key.abi()))[:4]

    def prove(self, journal: bytes, salt: str = "", exit_code: int = 0) -> bytes:
        """260 bytes."""
        claim = claim_digest(self.program_id, journal, exit_code)
        inputs = [*halves(self.control_root), *halves(claim), int.from_bytes(self.control_id, "big")]
        return self.selector + self.key.prove(inputs, salt)


# RISC Zero's digests (crate risc0-binfmt), a second time: the contract's must not be compared with themselves.


def tagged(tag: str, digests: list[bytes], data: bytes = b"") -> bytes:
    """Digest of a tagged structure."""
    parts = [hashlib.sha256(tag.encode()).digest(), *digests, data, len(digests).to_bytes(2, "little")]
    return hashlib.sha256(b"".join(parts)).digest()


def claim_digest(image_id: bytes, journal: bytes, exit_code: int = 0) -> bytes:
    """That the image ran, halted with this exit code and committed this journal, assuming nothing."""
    halted = tagged("risc0.SystemState", [bytes(32)], bytes(4))
    output = tagged("risc0.Output", [hashlib.sha256(journal).digest(), bytes(32)])
    codes = bytes(4) + exit_code.to_bytes(4, "little")
    return tagged("risc0.ReceiptClaim", [bytes(32), image_id, halted, output], codes)


def key_digest(key: tuple[Any, ...]) -> bytes:
    """Digest of a verifying key given as the constructors take it."""
    alpha, beta, gamma, delta, ic = key
    rows = [alpha, (*beta[0], *beta[1]), (*gamma[0], *gamma[1]), (*delta[0], *delta[1])]
    chain = bytes(32)
    for point in reversed(ic):
        chain = tagged("risc0_groth16.VerifyingKey.IC", [_sha256(point), chain])
    return tagged("risc0_groth16.VerifyingKey", [*(_sha256(row) for row in rows), chain])


def parameters_digest(control_root: bytes, control_id: bytes, key: bytes) -> bytes:
    """Digest of what a verifier is set up with; its first four bytes are the selector."""
    return tagged("risc0.Groth16ReceiptVerifierParameters", [control_root, control_id[::-1], key])


def halves(digest: bytes) -> tuple[int, int]:
    """Low and high half of a digest read as a little-endian number."""
    return int.from_bytes(digest[:16], "little"), int.from_bytes(digest[16:], "little")


def _sha256(words: tuple[int, ...]) -> bytes:
    return hashlib.sha256(b"".join(word(value) for value in words)).digest()
