"""Which kinds of proofs are aggregated, told from the first bytes: recursion takes no Groth16 or PLONK proofs."""

from __future__ import annotations

from aligned.core.aggregation import AggregationSystem
from aligned.gateway.refusals import refusal
from aligned.wire.gateway import UNSUPPORTED_PROOF_KIND

# The tag of a saved SP1 proof, and that of a RISC Zero receipt: 32 bits, little-endian (tag of a bincode enum).
_SP1_KINDS = {0: "Core", 1: "Compressed", 2: "PLONK", 3: "Groth16"}
_RISC0_KINDS = {0: "Composite", 1: "Succinct", 2: "Groth16"}
# First bytes of the proofs for SP1's on-chain verifiers of v6.1.0.
_SP1_SELECTORS = {bytes.fromhex("4388a21c"): "Groth16", bytes.fromhex("5a093a2f"): "PLONK"}
_AGGREGATED = frozenset({"Compressed", "Composite", "Succinct"})


def check_kind(system: AggregationSystem, head: bytes) -> None:
    """Refuses a proof of a known kind that is not aggregated; what has no known kind is left to the verifier.

    Args:
        head: the first 4 bytes of the proof.

    Raises:
        ProtocolError: unsupported_proof_kind.
    """
    kinds = _SP1_KINDS if system is AggregationSystem.SP1 else _RISC0_KINDS
    kind = kinds.get(int.from_bytes(head, "little"))
    if system is AggregationSystem.SP1:
        kind = kind or _SP1_SELECTORS.get(head)
    if kind is not None and kind not in _AGGREGATED:
        names = " or ".join(name for name in kinds.values() if name in _AGGREGATED)
        raise refusal(UNSUPPORTED_PROOF_KIND, f"{kind} proofs are not aggregated, send a {names} one")
