"""Calls of the on-chain proof verifiers that must be refused, tried on a devnet: real verifiers, damaged proofs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aligned.chain.abi import contract_abi
from aligned.chain.client import ChainClient, Contract
from aligned.chain.errors import TxReverted
from aligned.core.aggregation import AggregationSystem
from aligned.devnet import layout
from aligned.devnet.anvil import Anvil
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.cases import VECTORS, flip_byte
from aligned.devnet.forgeries import ACCEPTED
from aligned.devnet.params import DeploymentParams
from aligned.sdk.wallet import Wallet

# Order of BN254's scalar field.
_FIELD_ORDER = 0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001
_SP1_V610, _SP1_V600 = bytes.fromhex("4388a21c"), bytes.fromhex("0e78f4db")
_SP1_VK_ROOT = bytes.fromhex("002f850ee998974d6cc00e50cd0814b098c05bfade466d28573240d057f25352")
_RISC0_V2 = bytes.fromhex("9f39696c")
# A Groth16 InnerReceipt begins with its tag (4 bytes) and the length of the seal (8).
_SEAL = slice(12, 12 + 256)
_MAINNET = 1


@dataclass(frozen=True, slots=True)
class VerifierCall:
    """What is shown to a verifier, and the error that it must meet (`accepted` for the real proof)."""

    name: str
    public_inputs: bytes
    proof: bytes
    expected: str


async def try_verifiers(chain: ChainClient, wallet: Wallet, program: bytes) -> list[tuple[str, str, str]]:
    """Deploys both Groth16 verifiers and shows them proofs: name of the case, outcome, expected outcome.

    Args:
        program: an SP1 program to bind the SP1 verifier to.
    """
    artifacts = Artifacts.load(layout.ARTIFACTS)
    sp1 = artifacts.creation("SP1Groth16Verifier", program)
    params = DeploymentParams.load(layout.PARAMS / "devnet.yaml").aggregation.risc0_version
    image_id = (VECTORS / "risc0" / "groth16_v3.id").read_bytes()
    risc0 = artifacts.creation("Risc0Groth16Verifier", image_id, params.control_root, params.control_id)
    tried = []
    for creation, calls in ((sp1, _sp1_calls()), (risc0, _risc0_calls(params.selector))):
        verifier = Contract(await wallet.deploy(creation), contract_abi("ProofVerifier"))
        tried += [(call.name, await _outcome(chain, verifier, call), call.expected) for call in calls]
    return tried


def _sp1_calls() -> Iterator[VerifierCall]:
    proof = _sp1_proof()
    yield VerifierCall("SP1 v6.0.0 selector", b"", _SP1_V600 + proof[4:], "WrongSelector")
    yield VerifierCall("SP1 trailing proof byte", b"", proof + b"\0", "WrongProofLength")
    yield VerifierCall(
        "SP1 program that failed (exit code 1)", b"", _sp1_proof(exit_code=1), "InvalidExitCode"
    )
    yield VerifierCall("SP1 public input ≥ r", b"", _sp1_proof(nonce=_FIELD_ORDER), "InputNotInField")
    yield VerifierCall("SP1 proof of zeros", b"", proof, "ProofInvalid")


def _sp1_proof(exit_code: int = 0, nonce: int = 0) -> bytes:
    words = exit_code.to_bytes(32, "big") + _SP1_VK_ROOT + nonce.to_bytes(32, "big")
    return _SP1_V610 + words + bytes(8 * 32)


def _risc0_calls(selector: bytes) -> Iterator[VerifierCall]:
    folder = VECTORS / "risc0"
    journal = (folder / "groth16_v3.pub").read_bytes()
    seal = selector + (folder / "groth16_v3.proof").read_bytes()[_SEAL]
    yield VerifierCall("RISC0 real receipt", journal, seal, ACCEPTED)
    yield VerifierCall("RISC0 other journal", flip_byte(journal), seal, "ProofInvalid")
    yield VerifierCall("RISC0 trailing seal byte", journal, seal + b"\0", "WrongProofLength")
    yield VerifierCall("RISC0 selector of version 2", journal, _RISC0_V2 + seal[4:], "WrongSelector")


async def _outcome(chain: ChainClient, verifier: Contract, call: VerifierCall) -> str:
    try:
        await chain.call(verifier, "verify", [call.public_inputs, call.proof])
    except TxReverted as error:
        return error.error_name or error.code
    return ACCEPTED


async def dev_verifier_elsewhere(log: Path) -> str:
    """What becomes of a DevVerifier that is created on mainnet's chain id: the name of the error."""
    anvil = Anvil(log, chain_id=_MAINNET)
    creation = Artifacts.load(layout.ARTIFACTS).creation("DevVerifier", int(AggregationSystem.SP1), bytes(32))
    try:
        await anvil.start()
        async with ChainClient([anvil.url], _MAINNET) as chain:
            await chain.rpc("eth_call", {"data": "0x" + creation.hex()}, "latest")
    except TxReverted as error:
        return error.error_name or error.code
    finally:
        anvil.process.stop()
    return ACCEPTED
