"""Groth16 keys and proofs of any number of inputs, from a trapdoor: no circuit, no prover, real pairings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from py_ecc import optimized_bn128 as curve

from tests.reference.bls import R

_ALPHA, _BETA, _GAMMA, _DELTA, _STEP, _A, _B = 3, 5, 7, 11, 2**200 + 13, 17, 19


@dataclass(frozen=True)
class Files:
    """What snarkjs writes, as JSON values."""

    proof: dict[str, Any]
    inputs: list[str]
    key: dict[str, Any]

    def as_bytes(self, indent: int | None = 1) -> tuple[bytes, bytes, bytes]:
        """Proof, public inputs and key as files."""
        return tuple(
            json.dumps(value, indent=indent).encode() for value in (self.proof, self.inputs, self.key)
        )  # type: ignore[return-value]


def g1(point: Any) -> list[str]:
    """A point as snarkjs writes it."""
    x, y = curve.normalize(point)
    return [str(int(x)), str(int(y)), "1"]


def g2(point: Any) -> list[list[str]]:
    """A point as snarkjs writes it."""
    x, y = curve.normalize(point)
    return [[str(int(part)) for part in value.coeffs] for value in (x, y)] + [["1", "0"]]


def make(inputs: list[int], delta: int = _DELTA) -> Files:
    """A proof that holds for these inputs. Point i of the key is (i + 1) times one point."""
    base = curve.multiply(curve.G1, _STEP)
    points, point = [], base
    for _ in range(len(inputs) + 1):
        points.append(g1(point))
        point = curve.add(point, base)
    total = _STEP * (1 + sum((index + 2) * value for index, value in enumerate(inputs))) % R
    last = (_A * _B - _ALPHA * _BETA - total * _GAMMA) * pow(delta, -1, R) % R
    names = {"protocol": "groth16", "curve": "bn128"}
    proof = {
        "pi_a": g1(curve.multiply(curve.G1, _A)),
        "pi_b": g2(curve.multiply(curve.G2, _B)),
        "pi_c": g1(curve.multiply(curve.G1, last)),
    }
    key = {
        "nPublic": len(inputs),
        "vk_alpha_1": g1(curve.multiply(curve.G1, _ALPHA)),
        "vk_beta_2": g2(curve.multiply(curve.G2, _BETA)),
        "vk_gamma_2": g2(curve.multiply(curve.G2, _GAMMA)),
        "vk_delta_2": g2(curve.multiply(curve.G2, delta)),
        "IC": points,
    }
    return Files(proof | names, [str(value) for value in inputs], names | key)
