"""The multipart form of a submission, read piece by piece: its texts, and its files when the caller wants them.

The proof goes to disk, the rest is small.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from python_multipart.multipart import parse_options_header

from aligned.core.errors import EMPTY_PROOF, MALFORMED_MESSAGE
from aligned.gateway.form_parts import OPTIONAL, FormLimits, FormParser
from aligned.gateway.proof_file import ProofFile
from aligned.gateway.refusals import refusal
from aligned.wire.aggregator import BODY_TOO_LARGE
from aligned.wire.gateway import FILE_PARTS, TEXT_PARTS, UNSUPPORTED_MEDIA_TYPE

# The library takes time with the square of the length.
_MAX_CONTENT_TYPE_CHARS = 512
# Each hop to a thread costs about 0.1 ms; so much may wait in memory for each upload.
_FLUSH_BYTES = 1024 * 1024
# Texts with their headers have about 1,300 bytes.
_MAX_TEXTS_BYTES = 8_192


@dataclass(frozen=True, slots=True)
class Form:
    """The files of a complete form.

    Attributes:
        proof: the file that holds the proof.
    """

    key: bytes
    public_inputs: bytes
    proof: Path
    proof_bytes: int

    @property
    def size_bytes(self) -> int:
        """Sum of the files' sizes."""
        return self.proof_bytes + len(self.key) + len(self.public_inputs)


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


class FormReader:
    """Reads one form in two steps.

    Args:
        body: its pieces.
    """

    def __init__(self, body: AsyncIterator[bytes], boundary: bytes, limits: FormLimits) -> None:
        self._body = body
        self._limits = limits
        self._parser = FormParser(boundary, limits)
        self._received = 0

    async def texts(self) -> dict[str, str]:
        """The text parts by name; only `address` may be absent. No file is taken yet.

        Raises:
            ProtocolError: parts_out_of_order, malformed_message, body_too_large.
        """
        while not self._parser.files_begun and await self._feed():
            if self._received > _MAX_TEXTS_BYTES and not self._parser.files_begun:
                raise refusal(BODY_TOO_LARGE, f"at most {_MAX_TEXTS_BYTES} bytes before the first file")
        if not self._parser.files_begun:
            self._check_complete()
        return self._parser.texts()

    async def files(self, proof: Path, check: Callable[[str, bytes], None]) -> Form:
        """The files, the proof into the new file `proof`.

        Args:
            check: is shown key and public inputs when they are complete, and the first bytes of the proof (at most 4)
                as soon as they are there; refuses what is wrong by raising. At last it is shown the proof's hash
                as part `proof_hash`.

        Raises:
            ProtocolError: as `texts`; what `check` raises; empty_proof.
        """
        with ProofFile(proof) as file:
            self._parser.show_files(check)
            while await self._feed():
                if self._parser.pending_bytes >= _FLUSH_BYTES:
                    await asyncio.to_thread(file.append, self._parser.take())
            self._check_complete()
            await asyncio.to_thread(file.append, self._parser.take())
        check("proof_hash", file.hash())
        sizes = self._parser.sizes
        return Form(self._parser.file("key"), self._parser.file("public_inputs"), proof, sizes["proof"])

    async def _feed(self) -> bool:
        """Takes the next piece; whether there was one."""
        piece = await anext(self._body, None)
        if piece is None:
            return False
        self._received += len(piece)
        if self._received > self._limits.max_body_bytes:
            raise refusal(BODY_TOO_LARGE, f"at most {self._limits.max_body_bytes} bytes")
        self._parser.feed(piece)
        return True

    def _check_complete(self) -> None:
        if not self._parser.complete:
            raise refusal(MALFORMED_MESSAGE, "form: it ends before its last boundary")
        sizes = self._parser.sizes
        missing = [name for name in (*TEXT_PARTS, *FILE_PARTS) if name not in sizes and name not in OPTIONAL]
        if missing:
            raise refusal(MALFORMED_MESSAGE, f"form: no part {', '.join(missing)}")
        if not sizes["proof"]:
            raise refusal(EMPTY_PROOF, "the proof has no bytes")
