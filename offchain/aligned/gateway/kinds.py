"""Refuses proofs of kinds that are not aggregated before anything is charged for them."""

from __future__ import annotations

from aligned.core.aggregation import AggregationSystem
from aligned.gateway.refusals import refusal
from aligned.verifiers.kinds import aggregated_kinds, unaggregated_kind
from aligned.wire.gateway import UNSUPPORTED_PROOF_KIND


def check_kind(system: AggregationSystem, head: bytes) -> None:
    """Refuses a proof of a known kind that is not aggregated; what has no known kind is left to the verifier.

    Args:
        head: the first 4 bytes of the proof.

    Raises:
        ProtocolError: unsupported_proof_kind.
    """
    kind = unaggregated_kind(system, head)
    if kind is not None:
        wanted = " or ".join(aggregated_kinds(system))
        raise refusal(UNSUPPORTED_PROOF_KIND, f"{kind} proofs are not aggregated, send a {wanted} one")
