"""The multipart form of a submission, read piece by piece: the proof goes to disk, the rest is small."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from aligned_native import Keccak256
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from aligned.core.errors import EMPTY_PROOF, MALFORMED_MESSAGE
from aligned.gateway.refusals import refusal
from aligned.wire.aggregator import BODY_TOO_LARGE
from aligned.wire.gateway import FILE_PARTS, TEXT_PARTS, UNSUPPORTED_MEDIA_TYPE

_MAX_TEXT_BYTES = 256
# Larger than any key, so that who sends an ELF file by mistake learns it from the size.
_MAX_KEY_BYTES = 1_024
# The library takes time with the square of the length.
_MAX_CONTENT_TYPE_CHARS = 512
_OPTIONAL = frozenset({"address"})
# Boundaries and headers of all parts.
_OVERHEAD_BYTES = 16_384
# Each hop to a thread costs about 0.1 ms; so much may wait in memory for each upload.
_FLUSH_BYTES = 1024 * 1024
_HEAD_BYTES = 4


@dataclass(frozen=True, slots=True)
class FormLimits:
    """How large the parts may be."""

    max_proof_bytes: int
    max_public_input_bytes: int

    @property
    def max_body_bytes(self) -> int:
        """Largest body that may be a form within the limits."""
        texts = len(TEXT_PARTS) * _MAX_TEXT_BYTES
        return self.max_proof_bytes + self.max_public_input_bytes + _MAX_KEY_BYTES + texts + _OVERHEAD_BYTES

    def of(self, part: str) -> int:
        """Largest size of a part."""
        return {
            "proof": self.max_proof_bytes,
            "public_inputs": self.max_public_input_bytes,
            "key": _MAX_KEY_BYTES,
        }.get(part, _MAX_TEXT_BYTES)


@dataclass(frozen=True, slots=True)
class Form:
    """A complete form.

    Attributes:
        texts: by name; only `address` may be absent.
        proof: the file that holds the proof.
        proof_hash: keccak-256 of the proof.
        proof_head: its first bytes, at most 4.
    """

    texts: dict[str, str]
    key: bytes
    public_inputs: bytes
    proof: Path
    proof_bytes: int
    proof_hash: bytes
    proof_head: bytes

    @property
    def size_bytes(self) -> int:
        """Sum of the files' sizes."""
        return self.proof_bytes + len(self.key) + len(self.public_inputs)


class ProofFile:
    """A new file that is hashed while it is written. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head = b""
        self._file = path.open("xb")
        self._hash = Keccak256()

    def __enter__(self) -> ProofFile:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def append(self, pieces: list[bytes]) -> None:
        """Writes the next pieces; takes milliseconds."""
        for piece in pieces:
            self._hash.update(piece)
            self._file.write(piece)
            if len(self.head) < _HEAD_BYTES:
                self.head = (self.head + piece)[:_HEAD_BYTES]

    def hash(self) -> bytes:
        """keccak-256 of what was written."""
        return self._hash.digest()


def boundary_of(content_type: str) -> bytes:
    """The boundary of a form.

    Raises:
        ProtocolError: unsupported_media_type for anything but multipart/form-data with a boundary.
    """
    if len(content_type) > _MAX_CONTENT_TYPE_CHARS:
        raise refusal(UNSUPPORTED_MEDIA_TYPE, f"content-type: at most {_MAX_CONTENT_TYPE_CHARS} characters")
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= 70:
        raise refusal(UNSUPPORTED_MEDIA_TYPE, f"expected multipart/form-data, got {content_type[:80]!r}")
    return boundary


async def read_form(body: AsyncIterator[bytes], boundary: bytes, limits: FormLimits, proof: Path) -> Form:
    """Reads a form, the proof into the new file `proof`.

    Raises:
        ProtocolError: malformed_message, body_too_large (as soon as a part, or the whole, is too long), empty_proof.
    """
    parser = _FormParser(boundary, limits)
    received = 0
    with ProofFile(proof) as file:
        async for piece in body:
            received += len(piece)
            if received > limits.max_body_bytes:
                raise refusal(BODY_TOO_LARGE, f"at most {limits.max_body_bytes} bytes")
            parser.feed(piece)
            if parser.pending_bytes >= _FLUSH_BYTES:
                await asyncio.to_thread(file.append, parser.take())
        parser.finish()
        await asyncio.to_thread(file.append, parser.take())
    return parser.form(file)


class _FormParser:
    """Collects the parts; bytes of the proof are pending until they are taken."""

    def __init__(self, boundary: bytes, limits: FormLimits) -> None:
        self.pending_bytes = 0
        self._pending: list[bytes] = []
        self._limits = limits
        self._sizes: dict[str, int] = {}
        self._parts: dict[str, bytearray] = {}
        self._name = ""
        self._headers: dict[bytes, bytes] = {}
        self._field = b""
        self._value = b""
        self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_end": self._on_end,
            },
        )

    def take(self) -> list[bytes]:
        """The pending bytes of the proof, piece by piece."""
        taken, self._pending, self.pending_bytes = self._pending, [], 0
        return taken

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes of the body."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise refusal(MALFORMED_MESSAGE, f"form: {error}") from error

    def finish(self) -> None:
        """The body has ended."""
        if not self._complete:
            raise refusal(MALFORMED_MESSAGE, "form: it ends before its last boundary")
        missing = [name for name in (*TEXT_PARTS, *FILE_PARTS) if name not in self._sizes]
        if missing := [name for name in missing if name not in _OPTIONAL]:
            raise refusal(MALFORMED_MESSAGE, f"form: no part {', '.join(missing)}")
        if not self._sizes["proof"]:
            raise refusal(EMPTY_PROOF, "the proof has no bytes")

    def form(self, proof: ProofFile) -> Form:
        """The finished form."""
        texts = {name: _text(name, data) for name, data in self._parts.items() if name in TEXT_PARTS}
        key, public_inputs = bytes(self._parts["key"]), bytes(self._parts["public_inputs"])
        return Form(texts, key, public_inputs, proof.path, self._sizes["proof"], proof.hash(), proof.head)

    def _on_part_begin(self) -> None:
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("latin-1")
        if kind != b"form-data" or name not in (*TEXT_PARTS, *FILE_PARTS):
            raise refusal(MALFORMED_MESSAGE, f"form: unknown part {name[:32]!r}")
        if name in self._sizes:
            raise refusal(MALFORMED_MESSAGE, f"form: part {name} is there twice")
        self._name = name
        self._sizes[name] = 0
        self._parts[name] = bytearray()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        name = self._name
        self._sizes[name] += end - start
        limit = self._limits.of(name)
        if self._sizes[name] > limit:
            raise refusal(BODY_TOO_LARGE, f"{name}: at most {limit} bytes", part=name, limit_bytes=limit)
        if name == "proof":
            self._pending.append(data[start:end])
            self.pending_bytes += end - start
        else:
            self._parts[name] += data[start:end]

    def _on_end(self) -> None:
        self._complete = True


def _text(name: str, data: bytearray) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise refusal(MALFORMED_MESSAGE, f"{name}: not plain text") from error
