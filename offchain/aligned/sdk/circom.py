"""Groth16 files of Circom's tools in the one form that the verifiers take.

The core is strict, since a leaf commits to bytes. Here, on the user's side, is where other spellings are taken: files
of rapidsnark, ark-circom and older snarkjs, what fullProve returns, arguments of contract calls. A file that the core
takes as it is stays as it is, byte for byte; any other is written in the one form that `canonical` describes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aligned.core.errors import (
    MALFORMED_KEY,
    MALFORMED_PROOF,
    MALFORMED_PUBLIC_INPUT,
    PROOF_TOO_LARGE,
    AlignedError,
    ProofError,
)
from aligned.core.sizes import MAX_SIZE_BYTES
from aligned.core.types import ADDRESS_BYTES, ProvingSystem, VerificationData
from aligned.sdk import circom_json as files
from aligned.sdk.circom_points import Note
from aligned.sdk.proof_warnings import ProofWarning, key_warnings

_SYSTEM: Final = ProvingSystem.CIRCOM_GROTH16_BN256
# Other spellings are longer than the form that is sent, by this much at most.
_MAX_FILE_BYTES: Final = 4 * MAX_SIZE_BYTES[_SYSTEM]
_WORD_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class CircomFiles:
    """Proof, public inputs and key as they are sent.

    Attributes:
        changes: what was written in another way than it was given, in words.
        warnings: what is wrong with the key although proofs under it are valid.
    """

    proof: bytes
    public_input: bytes | None
    verification_key: bytes | None
    changes: tuple[str, ...]
    warnings: tuple[ProofWarning, ...]

    def data(self, generator: bytes = bytes(ADDRESS_BYTES)) -> VerificationData:
        """What is submitted; `generator` is committed in the leaf."""
        return VerificationData(
            _SYSTEM, self.proof, self.public_input, self.verification_key, None, generator
        )


def normalise(
    proof: bytes, public_input: bytes | None = None, verification_key: bytes | None = None
) -> CircomFiles:
    """The files in a form that the verifiers take. What is not given is taken from the proof's file, if it is there.

    Doing it again changes nothing.

    Raises:
        ProofError: malformed_proof, malformed_public_input, malformed_key, proof_too_large; with the reason.
        ProtocolError: not_utf8.
    """
    for content in (proof, public_input, verification_key):
        if content is not None and len(content) > _MAX_FILE_BYTES:
            raise ProofError(PROOF_TOO_LARGE, f"a file of {len(content)} bytes, at most {_MAX_FILE_BYTES}")
    changes: list[str] = []
    read = _Reader(changes)
    proof, beside, key_beside = read.proof(proof)
    public_input = beside if public_input is None else read.public_input(public_input)
    verification_key = key_beside if verification_key is None else read.key(verification_key)
    unique = tuple(dict.fromkeys(changes))
    return CircomFiles(proof, public_input, verification_key, unique, key_warnings(verification_key))


def canonical(fields: Any) -> bytes:
    """JSON without white space, fields in snarkjs' order: what `JSON.stringify` writes."""
    return json.dumps(fields, separators=(",", ":")).encode()


class _Reader:
    """Reads files and keeps what it changed in them."""

    def __init__(self, changes: list[str]) -> None:
        self._changes = changes

    def proof(self, content: bytes) -> tuple[bytes, bytes | None, bytes | None]:
        """The proof, and public inputs and key where the same file holds them."""
        name = "proof"
        if (words := files.contract_words(content)) is not None:
            return canonical(self._asked(name, MALFORMED_PROOF, files.proof, words)), None, None
        value = self._asked(name, MALFORMED_PROOF, files.read, content)
        value, inputs, key = files.parts(value, self._note(name))
        written = self._written(name, MALFORMED_PROOF, files.proof, value, content)
        beside = None if inputs is None else self._asked(name, MALFORMED_PUBLIC_INPUT, files.inputs, inputs)
        key_beside = None if key is None else self._asked(name, MALFORMED_KEY, files.key, key)
        return (
            written,
            None if beside is None else canonical(beside),
            None if key_beside is None else canonical(key_beside),
        )

    def public_input(self, content: bytes) -> bytes:
        """Public inputs. Words of 32 bytes are no text, and stay as they are."""
        if len(content) % _WORD_BYTES == 0 and not content.lstrip().startswith(
            (b"[", b"{", b"\xef", b"\xff", b"\xfe")
        ):
            return content
        name = "public inputs"
        value = self._asked(name, MALFORMED_PUBLIC_INPUT, files.read, content)
        if not content.startswith(b"["):
            self._note(name)("nothing stands in front of the list")
        return self._written(name, MALFORMED_PUBLIC_INPUT, files.inputs, value, content)

    def key(self, content: bytes) -> bytes:
        """A verification key."""
        value = self._asked("key", MALFORMED_KEY, files.read, content)
        return self._written("key", MALFORMED_KEY, files.key, value, content)

    def _written(
        self, name: str, code: str, form: Callable[[Any, Note], Any], value: Any, content: bytes
    ) -> bytes:
        """The file itself if nothing in it had to change."""
        fields = self._asked(name, code, form, value)
        is_changed = any(change.startswith(f"{name}: ") for change in self._changes)
        return canonical(fields) if is_changed else content

    def _asked(self, name: str, code: str, form: Callable[[Any, Note], Any], value: Any) -> Any:
        try:
            return form(value, self._note(name))
        except AlignedError:
            raise
        except (ValueError, TypeError) as error:
            raise ProofError(code, f"{name}: {error}") from error

    def _note(self, name: str) -> Note:
        return lambda change: self._changes.append(f"{name}: {change}")
