"""Other spellings of Groth16 files that tools write, each as a change to the values that snarkjs writes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from tests.reference.bls import P

Values = dict[str, Any]
Spelling = Callable[[Values], None]
"""Changes {proof, public, key} in place."""


def points(values: Values) -> list[list[Any]]:
    """Each list of coordinates that is a point, as it stands in the files."""
    proof, key = values["proof"], values["key"]
    of_proof = [proof[name] for name in ("pi_a", "pi_b", "pi_c")]
    return (
        of_proof
        + [key[name] for name in key if name.startswith("vk_") and name != "vk_alphabeta_12"]
        + key["IC"]
    )


def each_number(values: Values, change: Callable[[str], Any]) -> None:
    """Applies a change to every number of the proof and the inputs."""

    def walk(value: Any) -> Any:
        return [walk(part) for part in value] if isinstance(value, list) else change(value)

    for name in ("pi_a", "pi_b", "pi_c"):
        values["proof"][name] = walk(values["proof"][name])
    values["public"] = walk(values["public"])


def two_coordinates(values: Values) -> None:
    """ark-circom and others leave Z out."""
    for point in points(values):
        del point[2:]


def jacobian(values: Values) -> None:
    """The same point with Z = 7."""
    point = values["proof"]["pi_a"]
    x, y = int(point[0]), int(point[1])
    values["proof"]["pi_a"] = [str(x * 49 % P), str(y * 343 % P), "7"]


def drop(part: str, *names: str) -> Spelling:
    """Leaves fields out."""

    def change(values: Values) -> None:
        for name in names:
            values[part].pop(name, None)

    return change


def put(part: str, name: str, value: Any) -> Spelling:
    """Writes a field."""
    return lambda values: values[part].__setitem__(name, value)


SPELLINGS: dict[str, Spelling] = {
    "rapidsnark": drop("proof", "curve"),
    "no names": drop("proof", "curve", "protocol"),
    "key without names": drop("key", "curve", "protocol", "nPublic"),
    "curve bn254": put("proof", "curve", "bn254"),
    "curve BN-128": put("proof", "curve", "BN-128"),
    "curve altbn128": put("key", "curve", "alt_bn128"),
    "curve BN254 and protocol groth": lambda v: v["key"].update(curve="BN254", protocol="groth"),
    "protocol Groth16": put("proof", "protocol", "Groth16"),
    "hex": lambda v: each_number(v, lambda text: hex(int(text))),
    "upper hex": lambda v: each_number(v, lambda text: f"0X{int(text):X}"),
    "numbers": lambda v: each_number(v, int),
    "leading zeros": lambda v: each_number(v, lambda text: "00" + text if str(text).isdigit() else text),
    "two coordinates": two_coordinates,
    "jacobian": jacobian,
    "x plus p": lambda v: v["proof"]["pi_c"].__setitem__(0, str(int(v["proof"]["pi_c"][0]) + P)),
    "extra fields": lambda v: (v["proof"].update(prover="x", ms=3), v["key"].update(comment={"a": [1]}))[0],
    "nPublic as text": put("key", "nPublic", "2"),
    "nPublic wrong": put("key", "nPublic", 9),
    "no pairing": drop("key", "vk_alphabeta_12"),
    "old name of alpha": lambda v: v["key"].update(vk_alfa_1=v["key"].pop("vk_alpha_1")),
}


def spelled(values: Values, names: list[str]) -> Values:
    """A copy with these spellings."""
    changed = copy.deepcopy(values)
    for name in names:
        SPELLINGS[name](changed)
    return changed


def calldata(values: Values) -> str:
    """What `snarkjs generatecall` prints."""
    proof = values["proof"]

    def words(numbers: list[str]) -> str:
        return "[" + ", ".join(f'"0x{int(number):064x}"' for number in numbers) + "]"

    b = ",".join(words(part[::-1]) for part in proof["pi_b"][:2])
    return f"{words(proof['pi_a'][:2])},[{b}],{words(proof['pi_c'][:2])},{words(values['public'])}"


def contract_bytes(values: Values) -> bytes:
    """A ‖ B ‖ C as contracts take them."""
    numbers = json.loads(f"[{calldata(values)}]")[:3]
    flat = [*numbers[0], *numbers[1][0], *numbers[1][1], *numbers[2]]
    return b"".join(int(number, 16).to_bytes(32, "big") for number in flat)
