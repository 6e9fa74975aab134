"""The verifiers of the native extension, each a thin description over one of its functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import aligned_native

from aligned.core.types import ProvingSystem, VerificationData
from aligned.verifiers.base import Verdict


@dataclass(frozen=True)
class NativeVerifier:
    """A `ProofVerifier` that calls the native extension.

    Attributes:
        call: from the proof's fields to the extension's verdict.
        check: refuses what the extension is not shown.
    """

    system: ProvingSystem
    name: str
    max_proof_bytes: int
    call: Callable[[VerificationData], aligned_native.Verdict]
    check: Callable[[VerificationData], Verdict | None] = lambda _data: None

    def verify(self, data: VerificationData) -> Verdict:
        """The extension's verdict; the extension does not raise."""
        if refusal := self.check(data):
            return refusal
        verdict = self.call(data)
        return Verdict(verdict.valid, verdict.code, verdict.reason)
