"""Groth16 proofs, keys and public inputs as tools write them, read into snarkjs' fields."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from aligned_native import file_kind

from aligned.core.errors import ProtocolError
from aligned.core.text import decode_text
from aligned.sdk.circom_points import Note, Number, g1, g2, number

_CURVES: Final = {"bn128", "bn254", "bn256", "altbn128", "altbn254", "altbn256"}
_PROTOCOLS: Final = {"groth16", "groth"}
_INPUT_NAMES: Final = (
    "publicSignals",
    "public_signals",
    "pubSignals",
    "publicInputs",
    "public_inputs",
    "public",
    "inputs",
)
_KEY_NAMES: Final = ("verificationKey", "verification_key", "vkey", "vKey", "vk")
_POINT_NAMES: Final = (("pi_a", "pi_b", "pi_c"), ("a", "b", "c"), ("A", "B", "C"), ("pA", "pB", "pC"))
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKET: Final = re.compile(r"[\[\]{}]")
_MAX_DEPTH: Final = 32
_EVM_BYTES: Final = 256
_EVM_HEX: Final = re.compile(rb"\s*(?:0[xX])?([0-9a-fA-F]{512})\s*\Z")


def read(content: bytes, note: Note) -> Any:
    """The value of a JSON file, or of arguments of a contract call; how it was written goes to `note`.

    Raises:
        ValueError: not JSON, a field twice, a fraction.
    """
    text = _text(content, note)
    try:
        return _parse(text)
    except json.JSONDecodeError as error:
        # snarkjs' arguments of a contract call have no brackets around them.
        if error.msg != "Extra data" or not text.lstrip().startswith("["):
            raise ValueError(f"this is {file_kind(content) or 'not JSON'} ({error})") from error
        return _parse(f"[{text}]")


def _text(content: bytes, note: Note) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        note("UTF-16 is written as UTF-8")
        return content.decode("utf-16")
    try:
        text = decode_text(content, "the file")
    except ProtocolError as error:
        raise ValueError(f"this is {file_kind(content) or 'no text'} ({error.message})") from error
    if content.startswith(b"\xef\xbb\xbf"):
        note("the byte order mark is left out")
    return text


def _parse(text: str) -> Any:
    _check_depth(text)
    return json.loads(
        text,
        object_pairs_hook=_unique,
        parse_int=Number,
        parse_float=_no_fraction,
        parse_constant=_no_fraction,
    )


def _check_depth(text: str) -> None:
    """The standard library would use up the stack."""
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(fields := dict(pairs)) != len(pairs):
        raise ValueError("a field is there twice, and readers differ in which one counts")
    return fields


def _no_fraction(text: str) -> Any:
    raise ValueError(
        f"{text[:90]}: a number with a fraction or an exponent has lost digits; write it as text"
    )


def parts(value: Any, note: Note) -> tuple[Any, Any, Any]:
    """Proof, public inputs and key of a file that may hold all three; None for what is not in it."""
    inputs = key = None
    if isinstance(value, dict) and isinstance(value.get("proof"), dict | list):
        note("proof, public inputs and key are written as files of their own")
        inputs, key = _first(value, _INPUT_NAMES), _first(value, _KEY_NAMES)
        value = value["proof"]
    elif isinstance(value, dict) and _points_of(value):
        inputs = _first(value, _INPUT_NAMES)
    elif isinstance(value, list) and len(value) == 4:
        value, inputs = value[:3], value[3]
    return value, inputs, key


def proof(value: Any, note: Note) -> dict[str, Any]:
    """Snarkjs' proof.json.

    Raises:
        ValueError: what is missing or wrong in it.
    """
    fields = dict(zip("abc", _listed(value, note), strict=True)) if isinstance(value, list) else value
    if not isinstance(fields, dict):
        raise TypeError("neither an object nor the arguments of a contract call")
    _check_protocol(fields)
    names = _points_of(fields)
    if names is None:
        raise ValueError(f"no points pi_a, pi_b, pi_c in it, but {_names(fields)}")
    # rapidsnark writes no curve in its proofs, and the core asks for none.
    _check_names({"curve": "bn128"} | fields, note)
    _say_dropped(fields, {*names, "protocol", "curve"}, note)
    if names != _POINT_NAMES[0]:
        note("points are called pi_a, pi_b, pi_c")
    a, b, c = (fields[name] for name in names)
    points = {"pi_a": g1(a, note), "pi_b": g2(b, note), "pi_c": g1(c, note)}
    return points | {"protocol": "groth16", "curve": "bn128"}


def key(value: Any, note: Note) -> dict[str, Any]:
    """Snarkjs' verification_key.json.

    Raises:
        ValueError: what is missing or wrong in it.
    """
    if not isinstance(value, dict):
        raise TypeError("no object")
    fields = dict(value)
    _check_protocol(fields)
    if "vk_alfa_1" in fields:
        note("vk_alfa_1 is called vk_alpha_1")
        fields.setdefault("vk_alpha_1", fields.pop("vk_alfa_1"))
        fields.pop("vk_alfa_1", None)
    wanted = ("vk_alpha_1", "vk_beta_2", "vk_gamma_2", "vk_delta_2", "IC")
    if missing := [name for name in wanted if name not in fields]:
        raise ValueError(f"no {', '.join(missing)} in it, but {_names(fields)}")
    _check_names(fields, note)
    _say_dropped(fields, {*wanted, "protocol", "curve", "nPublic", "vk_alphabeta_12"}, note)
    if not isinstance(points := fields["IC"], list) or not points:
        raise ValueError("IC is no list of points")
    count = fields.get("nPublic")
    if not isinstance(count, Number) or str(count) != str(len(points) - 1):
        note(f"nPublic is written as {len(points) - 1}, for {len(points)} points in IC")
    names = {"protocol": "groth16", "curve": "bn128", "nPublic": len(points) - 1}
    twists = {name: g2(fields[name], note) for name in ("vk_beta_2", "vk_gamma_2", "vk_delta_2")}
    return (
        names
        | {"vk_alpha_1": g1(fields["vk_alpha_1"], note)}
        | twists
        | {"IC": [g1(p, note) for p in points]}
    )


def inputs(value: Any, note: Note) -> list[str]:
    """Snarkjs' public.json.

    Raises:
        ValueError: no list of numbers.
    """
    if isinstance(value, dict) and (named := _first(value, _INPUT_NAMES)) is not None:
        note("public inputs are written as a list")
        value = named
    if not isinstance(value, list):
        raise TypeError("no list of numbers")
    return [number(item, note) for item in value]


def contract_words(content: bytes) -> list[Any] | None:
    """The points of a proof as a contract takes them, 256 bytes or as many in hexadecimal; None for anything else."""
    match = _EVM_HEX.match(content)
    raw = bytes.fromhex(match[1].decode()) if match else content
    if len(raw) != _EVM_BYTES:
        return None
    return [str(int.from_bytes(raw[i : i + 32])) for i in range(0, _EVM_BYTES, 32)]


def _listed(value: list[Any], note: Note) -> list[Any]:
    """Three points of a list: [a, b, c], or eight numbers as contracts take them."""
    note("the arguments of a contract call are written as files")
    if len(value) == 8:
        return [value[:2], [value[2:4], value[4:6]], value[6:]]
    if len(value) == 3:
        return value
    raise ValueError(f"a list of {len(value)}, expected the three points of a proof")


def _points_of(fields: dict[str, Any]) -> tuple[str, str, str] | None:
    return next((names for names in _POINT_NAMES if fields.keys() >= set(names)), None)


def _check_names(fields: dict[str, Any], note: Note) -> None:
    protocol, curve = fields.get("protocol"), fields.get("curve")
    if curve is not None and re.sub(r"[^a-z0-9]", "", str(curve).lower()) not in _CURVES:
        raise ValueError(f"curve is {str(curve)[:30]!r}, only bn128 (BN254) is verified")
    if protocol != "groth16":
        note("protocol is written as groth16")
    if curve not in ("bn128", "bn254"):
        note("curve is written as bn128")


def _check_protocol(fields: dict[str, Any]) -> None:
    protocol = fields.get("protocol")
    if protocol is not None and str(protocol).strip().lower() not in _PROTOCOLS:
        raise ValueError(f"protocol is {str(protocol)[:30]!r}, only groth16 is verified")


def _say_dropped(fields: dict[str, Any], known: set[str], note: Note) -> None:
    if others := sorted(fields.keys() - known - set(_INPUT_NAMES)):
        note(f"left out: {', '.join(name[:30] for name in others[:10])}")
    elif fields.keys() - known:
        note("public inputs are written as a file of their own")


def _first(fields: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((fields[name] for name in names if name in fields), None)


def _names(fields: dict[str, Any]) -> str:
    return ", ".join(name[:30] for name in list(fields)[:10]) or "nothing"
