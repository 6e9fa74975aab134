"""The form of a submission, however the network cuts it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aligned_native import keccak256

from aligned.core.errors import ProtocolError
from aligned.gateway.form import Form, FormLimits, read_form
from aligned.wire.gateway import TEXT_PARTS

BOUNDARY = b"b0undary"
LIMITS = FormLimits(max_proof_bytes=4_000_000, max_public_input_bytes=100)
# With what looks like the beginning of a boundary, again and again.
PROOF = b"\x01\x00\x00\x00" + b"\r\n--b0und" * 300 + b"\r\n--"
LARGE = bytes(range(256)) * 10_000


def _encoded(proof: bytes) -> bytes:
    parts = dict.fromkeys(TEXT_PARTS, b"1") | {"proof": proof, "key": b"key", "public_inputs": b""}
    head = b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    body = b"".join(head % (BOUNDARY, name.encode(), data) for name, data in parts.items())
    return body + b"--" + BOUNDARY + b"--\r\n"


async def _pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def _read(proof: bytes, size: int, path: Path) -> Form:
    return await read_form(_pieces(_encoded(proof), size), BOUNDARY, LIMITS, path)


@pytest.mark.parametrize(
    ("proof", "size"), [(PROOF, 1), (PROOF, 2), (PROOF, 7), (PROOF, 100_000), (LARGE, 131_072), (b"ab", 1)]
)
async def test_form__cut_into_pieces__proof_its_hash_and_its_head_are_the_same(
    proof: bytes, size: int, tmp_path: Path
) -> None:
    form = await _read(proof, size, tmp_path / "proof")
    assert form.proof.read_bytes() == proof
    assert (form.proof_hash, form.proof_head, form.proof_bytes) == (keccak256(proof), proof[:4], len(proof))
    assert (form.key, form.public_inputs) == (b"key", b"")


async def test_form__file_is_there__never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "proof").write_bytes(b"of somebody else")
    with pytest.raises(FileExistsError):
        await _read(PROOF, 100, tmp_path / "proof")


async def test_form__no_proof__refused(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="no bytes"):
        await _read(b"", 100, tmp_path / "proof")
