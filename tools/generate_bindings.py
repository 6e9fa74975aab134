"""Writes the ABIs that the Python package ships: offchain/aligned/chain/abi/*.json, from the compiled contracts.

Run `python tools/generate_bindings.py` after a change of an interface; tests/contracts/test_bindings_fresh.py fails
while the files are stale.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fresh_build import ensure_fresh

ROOT = Path(__file__).resolve().parents[1]
ABI_FOLDER = ROOT / "offchain" / "aligned" / "chain" / "abi"

# Name of the file → name of the contract.
BINDINGS = {
    "AccessManager": "AlignedAccessManager",
    "AggregatedProofConsumer": "AggregatedProofConsumer",
    "AggregationModePaymentService": "AggregationModePaymentService",
    "AlignedLayerServiceManager": "AlignedLayerServiceManager",
    "AlignedProofAggregationService": "AlignedProofAggregationService",
    "AlignedProxy": "AlignedProxy",
    "BatcherPaymentService": "BatcherPaymentService",
    "DevVerifier": "DevVerifier",
    "FibonacciConsumer": "FibonacciConsumer",
    "LocalStakeSource": "LocalStakeSource",
    "OperatorRegistry": "OperatorRegistry",
    "ProofVerifier": "IProofVerifier",
    "Risc0Groth16Verifier": "Risc0Groth16Verifier",
    "Risc0RouterVerifier": "Risc0RouterVerifier",
    "SP1GatewayVerifier": "SP1GatewayVerifier",
    "SP1Groth16Verifier": "SP1Groth16Verifier",
}


def render(contract: str, manifest: dict[str, Any]) -> str:
    """The ABI of a contract as it stands in its file: entries sorted, one per line."""
    abi: list[dict[str, Any]] = manifest["contractTypes"][contract]["abi"]
    entries = sorted(json.dumps(entry, sort_keys=True, separators=(",", ":")) for entry in abi)
    return "[\n" + ",\n".join(entries) + "\n]\n"


def load_manifest() -> dict[str, Any]:
    """Ape's compiler output, never older than the sources."""
    manifest: dict[str, Any] = json.loads(ensure_fresh().read_text())
    return manifest


def main() -> None:
    """Rewrites every file."""
    manifest = load_manifest()
    ABI_FOLDER.mkdir(parents=True, exist_ok=True)
    for name, contract in BINDINGS.items():
        (ABI_FOLDER / f"{name}.json").write_text(render(contract, manifest))
        print(f"{name}.json")


if __name__ == "__main__":
    main()
