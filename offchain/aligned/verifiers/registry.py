"""Which verifier belongs to which proving system."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import UNSUPPORTED_SYSTEM, InvariantError, ProofError
from aligned.core.types import FIRST_EXTERNAL_SYSTEM, ProvingSystem, VerificationData
from aligned.verifiers import aggregated, circom, risc0, sp1
from aligned.verifiers.base import ENTRY_POINT_GROUP, AggregatedProof, ProofVerifier


@cache
def _verifiers() -> dict[int, ProofVerifier]:
    known: dict[int, ProofVerifier] = {v.system: v for v in (sp1.create(), risc0.create(), circom.create())}
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name):
        verifier: ProofVerifier = entry_point.load()()
        if verifier.system < FIRST_EXTERNAL_SYSTEM or verifier.system in known:
            raise InvariantError(
                "verifier_id_taken",
                f"entry point {entry_point.name!r} claims system {int(verifier.system)}; it must be a free id of "
                f"{FIRST_EXTERNAL_SYSTEM} to 255",
            )
        known[verifier.system] = verifier
    return known


@cache
def _aggregated() -> dict[int, ProofVerifier]:
    return {system.proving_system: aggregated.create(system) for system in AggregationSystem}


def verifier_of(data: VerificationData) -> ProofVerifier:
    """The verifier for a proof of fast mode or of aggregation mode, as its type says.

    Raises:
        ProofError: unsupported_system.
    """
    if not isinstance(data, AggregatedProof):
        return get_verifier(data.proving_system)
    verifier = _aggregated().get(data.proving_system)
    if verifier is None:
        raise ProofError(UNSUPPORTED_SYSTEM, f"proving system {int(data.proving_system)} is not aggregated")
    return verifier


def get_verifier(system_id: int) -> ProofVerifier:
    """The verifier of a system: one of ours, or a factory named in the entry point group `aligned.verifiers`.

    Raises:
        ProofError: unsupported_system (the gnark systems have an id, but no verifier in this release).
    """
    verifier = _verifiers().get(system_id)
    if verifier is None:
        names = ", ".join(ProvingSystem(system).wire_name for system in sorted(_verifiers()))
        raise ProofError(UNSUPPORTED_SYSTEM, f"no verifier for {_name(system_id)}, there are {names}")
    return verifier


def _name(system_id: int) -> str:
    try:
        return f"{ProvingSystem(system_id).wire_name} (id {int(system_id)})"
    except ValueError:
        return f"proving system {int(system_id)}"


def supported_systems() -> list[int]:
    """Ids of the systems that can be verified, ascending."""
    return sorted(_verifiers())
