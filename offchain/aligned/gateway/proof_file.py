"""An uploaded proof on disk."""

from __future__ import annotations

from pathlib import Path

from aligned_native import Keccak256


class ProofFile:
    """A new file that is hashed while it is written. Use as a context manager."""

    def __init__(self, path: Path) -> None:
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

    def hash(self) -> bytes:
        """keccak-256 of what was written."""
        return self._hash.digest()
