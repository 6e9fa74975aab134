"""The parts of a submission's form: which there are, how large they may be, and in which order they come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from aligned.core.errors import MALFORMED_MESSAGE
from aligned.gateway.refusals import refusal
from aligned.wire.aggregator import BODY_TOO_LARGE
from aligned.wire.gateway import FILE_PARTS, PARTS_OUT_OF_ORDER, TEXT_PARTS

OPTIONAL: Final = frozenset({"address"})
_MAX_TEXT_BYTES = 256
# Larger than any key, so that who sends an ELF file by mistake learns it from the size.
_MAX_KEY_BYTES = 1_024
# Boundaries and headers of all parts.
_OVERHEAD_BYTES = 16_384
_HEAD_BYTES = 4
_ORDER = f"send the texts first ({', '.join(TEXT_PARTS)}), then the files ({', '.join(FILE_PARTS)})"


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


class FormParser:
    """Collects the parts; bytes of the proof are pending until they are taken.

    Attributes:
        pending_bytes: of the proof.
        sizes: of the parts so far, by name.
        files_begun: all texts are there, and the first file has begun.
        complete: the last boundary was seen.
    """

    def __init__(self, boundary: bytes, limits: FormLimits) -> None:
        self.pending_bytes = 0
        self.sizes: dict[str, int] = {}
        self.files_begun = False
        self.complete = False
        self._limits = limits
        self._pending: list[bytes] = []
        self._parts: dict[str, bytearray] = {}
        self._ended: set[str] = set()
        self._shown: set[str] = set()
        self._show: Callable[[str, bytes], None] | None = None
        self._name = ""
        self._headers: dict[bytes, bytes] = {}
        self._field = b""
        self._value = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes of the body."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise refusal(MALFORMED_MESSAGE, f"form: {error}") from error
        self._show_files()

    def take(self) -> list[bytes]:
        """The pending bytes of the proof, piece by piece."""
        taken, self._pending, self.pending_bytes = self._pending, [], 0
        return taken

    def show_files(self, show: Callable[[str, bytes], None]) -> None:
        """From now on `show` gets each file's name and content once, of the proof the first bytes."""
        self._show = show
        self._show_files()

    def file(self, name: str) -> bytes:
        """A file other than the proof."""
        return bytes(self._parts[name])

    def texts(self) -> dict[str, str]:
        """The texts so far."""
        return {name: _text(name, data) for name, data in self._parts.items() if name in TEXT_PARTS}

    def _show_files(self) -> None:
        if self._show is None:
            return
        for name in FILE_PARTS:
            if name in self._shown or not self._may_be_shown(name):
                continue
            self._shown.add(name)
            self._show(name, bytes(self._parts[name]))

    def _may_be_shown(self, name: str) -> bool:
        return name in self._ended or (name == "proof" and self.sizes.get(name, 0) >= _HEAD_BYTES)

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
        if name in self.sizes:
            raise refusal(MALFORMED_MESSAGE, f"form: part {name} is there twice")
        self._check_order(name)
        self._name = name
        self.sizes[name] = 0
        self._parts[name] = bytearray()

    def _check_order(self, name: str) -> None:
        if name in TEXT_PARTS:
            if self.files_begun:
                raise refusal(PARTS_OUT_OF_ORDER, f"part {name} comes behind a file: {_ORDER}")
            return
        missing = [part for part in TEXT_PARTS if part not in self.sizes and part not in OPTIONAL]
        if missing:
            raise refusal(
                PARTS_OUT_OF_ORDER, f"no part {', '.join(missing)} before the file {name}: {_ORDER}"
            )
        self.files_begun = True

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        name = self._name
        self.sizes[name] += end - start
        limit = self._limits.of(name)
        if self.sizes[name] > limit:
            raise refusal(BODY_TOO_LARGE, f"{name}: at most {limit} bytes", part=name, limit_bytes=limit)
        if name != "proof":
            self._parts[name] += data[start:end]
            return
        self._pending.append(data[start:end])
        self.pending_bytes += end - start
        head = self._parts[name]
        head += data[start : min(end, start + _HEAD_BYTES - len(head))]

    def _on_part_end(self) -> None:
        self._ended.add(self._name)

    def _on_end(self) -> None:
        self.complete = True


def _text(name: str, data: bytearray) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise refusal(MALFORMED_MESSAGE, f"{name}: not plain text") from error
