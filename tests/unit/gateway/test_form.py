"""The form of a submission, however the network cuts it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aligned_native import keccak256

from aligned.core.errors import ProtocolError
from aligned.gateway.form import Form, FormReader
from aligned.gateway.form_parts import FormLimits
from aligned.wire.gateway import FILE_PARTS, TEXT_PARTS

BOUNDARY = b"b0undary"
LIMITS = FormLimits(max_proof_bytes=4_000_000, max_public_input_bytes=100)
# With what looks like the beginning of a boundary, again and again.
PROOF = b"\x01\x00\x00\x00" + b"\r\n--b0und" * 300 + b"\r\n--"
LARGE = bytes(range(256)) * 10_000
TEXTS = dict.fromkeys(TEXT_PARTS, b"1")


def _encoded(parts: dict[str, bytes]) -> bytes:
    part = b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    body = b"".join(part % (BOUNDARY, name.encode(), data) for name, data in parts.items())
    return body + b"--" + BOUNDARY + b"--\r\n"


async def _pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def _reader(parts: dict[str, bytes], size: int) -> FormReader:
    return FormReader(_pieces(_encoded(parts), size), BOUNDARY, LIMITS)


async def _read(proof: bytes, size: int, path: Path) -> tuple[Form, list[tuple[str, bytes]]]:
    """The form, and what was shown of its files."""
    reader = _reader(TEXTS | {"key": b"key", "public_inputs": b"", "proof": proof}, size)
    assert await reader.texts() == dict.fromkeys(TEXT_PARTS, "1")
    shown: list[tuple[str, bytes]] = []
    return await reader.files(path, lambda name, data: shown.append((name, data))), shown


@pytest.mark.parametrize(
    ("proof", "size"), [(PROOF, 1), (PROOF, 2), (PROOF, 7), (PROOF, 100_000), (LARGE, 131_072), (b"ab", 1)]
)
async def test_form__cut_into_pieces__files_their_hash_and_head_are_the_same(
    proof: bytes, size: int, tmp_path: Path
) -> None:
    form, shown = await _read(proof, size, tmp_path / "proof")
    assert form.proof.read_bytes() == proof
    assert (form.key, form.public_inputs, form.proof_bytes) == (b"key", b"", len(proof))
    assert shown == [
        ("key", b"key"), ("public_inputs", b""), ("proof", proof[:4]), ("proof_hash", keccak256(proof)),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_form__file_is_wrong__refused_before_the_rest_is_read(size: int, tmp_path: Path) -> None:
    reader = _reader(TEXTS | {"proof": LARGE, "key": b"key", "public_inputs": b""}, size)
    await reader.texts()

    def refuse(name: str, data: bytes) -> None:
        raise ProtocolError("wrong", f"{name} {data.hex()}")

    with pytest.raises(ProtocolError, match="proof 00010203"):
        await reader.files(tmp_path / "proof", refuse)
    assert (tmp_path / "proof").stat().st_size == 0


async def test_form__file_is_there__never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "proof").write_bytes(b"of somebody else")
    with pytest.raises(FileExistsError):
        await _read(PROOF, 100, tmp_path / "proof")


async def test_form__no_proof__refused(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="no bytes"):
        await _read(b"", 100, tmp_path / "proof")


@pytest.mark.parametrize("name", FILE_PARTS)
@pytest.mark.parametrize("size", [1, 100_000])
async def test_texts__a_file_before_them__refused_with_the_order(name: str, size: int) -> None:
    with pytest.raises(ProtocolError, match="send the texts first") as refused:
        await _reader({name: b"x"} | TEXTS, size).texts()
    assert refused.value.code == "parts_out_of_order"


async def test_texts__endless_preamble__refused_soon() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"\r\n" * 512

    with pytest.raises(ProtocolError) as refused:
        await FormReader(pieces(), BOUNDARY, LIMITS).texts()
    assert refused.value.code in ("body_too_large", "malformed_message")


async def test_texts__of_a_submission__are_less_than_2_kib() -> None:
    longest = TEXTS | {"signature": b"0" * 132} | {name: b"0" * 66 for name in TEXT_PARTS if "hash" in name}
    assert len(_encoded(longest)) < 2_048
