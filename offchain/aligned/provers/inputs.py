"""Files that a worker reads, written below the folder of its result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aligned.provers.base import UserProof


def write_proofs(out: Path, proofs: Sequence[UserProof]) -> list[dict[str, str]]:
    """The entries of a request; proofs that are in files stay there."""
    folder = _folder(out)
    return [
        {
            "proof": _file(proof.proof, folder / f"{index:05}.proof"),
            "key": _file(proof.key, folder / f"{index:05}.key"),
            "public_inputs": _file(proof.public_inputs, folder / f"{index:05}.pub"),
        }
        for index, proof in enumerate(proofs)
    ]


def write_commitments(out: Path, chunks: Sequence[Sequence[bytes]]) -> list[str]:
    """One file for each chunk."""
    folder = _folder(out)
    return [_file(b"".join(chunk), folder / f"{index:05}.commitments") for index, chunk in enumerate(chunks)]


def _folder(out: Path) -> Path:
    folder = out.resolve() / "inputs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _file(content: bytes | Path, path: Path) -> str:
    if isinstance(content, Path):
        return str(content.resolve())
    path.write_bytes(content)
    return str(path)
