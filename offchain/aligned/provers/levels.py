"""How much of an aggregation is proven, from "checked by the same code" to "a contract can check it"."""

from __future__ import annotations

from enum import StrEnum

from aligned.core.aggregation import AggregationSystem

SP1, RISC0 = AggregationSystem.SP1, AggregationSystem.RISC0


class ProvingLevel(StrEnum):
    """Names as in settings, requests to workers, the database and receipts."""

    NATIVE = "native"
    """The guests' code runs natively, every user proof is verified by the native verifiers; nothing is proven."""
    EXECUTE = "execute"
    """The guests run in the zkVM's executor; nothing is proven."""
    COMPRESSED = "compressed"
    """SP1: one recursive STARK, which no contract takes."""
    COMPOSITE = "composite"
    """RISC0: a STARK for each segment and assumption, which no contract takes."""
    SUCCINCT = "succinct"
    """RISC0: one recursive STARK, which no contract takes."""
    GROTH16 = "groth16"
    """A proof for the on-chain verifiers, made here."""
    NETWORK = "network"
    """SP1: the same, made by SP1's prover network."""

    @property
    def reaches_chain(self) -> bool:
        """Whether the result is a proof for the public verifiers; below, only DevVerifier takes a stand-in."""
        return self in {ProvingLevel.GROTH16, ProvingLevel.NETWORK}

    @property
    def dev_proof_byte(self) -> int:
        """The level's byte in the stand-in that DevVerifier takes (docs/spec/aggregation.md)."""
        return _DEV_PROOF_BYTES[self]

    @property
    def needs_prover(self) -> bool:
        """Whether more than an executor is needed."""
        return self not in {ProvingLevel.NATIVE, ProvingLevel.EXECUTE}

    def of_chunks(self, system: AggregationSystem) -> ProvingLevel:
        """The level of the proofs that the final one takes in: Groth16 proofs cannot be verified recursively."""
        if self is not ProvingLevel.GROTH16:
            return self
        return ProvingLevel.COMPRESSED if system is SP1 else ProvingLevel.SUCCINCT


_DEV_PROOF_BYTES = {
    ProvingLevel.NATIVE: 1,
    ProvingLevel.EXECUTE: 2,
    ProvingLevel.COMPRESSED: 3,
    ProvingLevel.COMPOSITE: 3,
    ProvingLevel.SUCCINCT: 4,
}
_BOTH = {ProvingLevel.NATIVE, ProvingLevel.EXECUTE, ProvingLevel.GROTH16}
LEVELS = {
    SP1: _BOTH | {ProvingLevel.COMPRESSED, ProvingLevel.NETWORK},
    RISC0: _BOTH | {ProvingLevel.COMPOSITE, ProvingLevel.SUCCINCT},
}
"""Levels that a system has at all; what this machine can do, its worker says."""
