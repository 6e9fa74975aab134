"""Real proofs through the real verifier pool."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from aligned.core.commitment import commit
from aligned.core.types import ProvingSystem, VerificationData
from aligned.verifiers.pool import VerifierPool
from tests.integration.files import FileServer
from tests.integration.operator.harness import StubAggregator, file_of, root_of, running_operator
from tests.integration.rig import Rig

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


@pytest.fixture(scope="module")
def real_batch() -> list[VerificationData]:
    """An SP1 proof, a RISC0 proof, a Circom proof."""
    sp1, risc0, circom = VECTORS / "sp1", VECTORS / "risc0", VECTORS / "circom"
    values = json.loads((sp1 / "meta.json").read_text())["proofs"]["fib_a.compressed.proof"]["public_values"]
    proof, journal, image = (
        (risc0 / f"fib3_20_composite.{part}").read_bytes() for part in ("proof", "pub", "id")
    )
    names = ("preimage_a.proof.json", "preimage_a.public.json", "verification_key.json")
    circom_proof, public, key = ((circom / name).read_bytes() for name in names)
    fib = (sp1 / "fib_a.compressed.proof").read_bytes()
    return [
        VerificationData(
            ProvingSystem.SP1, fib, bytes.fromhex(values[2:]), (sp1 / "fib.vk").read_bytes(), None, bytes(20)
        ),
        VerificationData(ProvingSystem.RISC0, proof, journal, None, image, bytes(20)),
        VerificationData(ProvingSystem.CIRCOM_GROTH16_BN256, circom_proof, public, key, None, bytes(20)),
    ]


async def test_operator__real_proofs_of_three_systems__signs(
    rig: Rig, files: FileServer, postgres: str, real_batch: list[VerificationData]
) -> None:
    operator = rig.operators[0]
    task = rig.create_task(root_of(real_batch), files.put("/real", file_of(real_batch)))
    settings = rig.operator_settings(operator, postgres)
    async with (
        VerifierPool(1) as pool,
        running_operator(rig, operator, settings, pool, StubAggregator().transport()) as running,
    ):
        row = await running.reaches(task, "reported")
    assert (row["reason"], row["proofs"]) == (None, 3)


@pytest.mark.parametrize("index", [0, 1, 2])
async def test_operator__public_input_of_one_proof_changed__refuses_just_that_leaf(
    rig: Rig, files: FileServer, postgres: str, real_batch: list[VerificationData], index: int
) -> None:
    operator = rig.operators[0]
    batch = list(real_batch)
    wrong = bytearray(batch[index].pub_input or b"")
    wrong[wrong.index(max(wrong))] ^= 1
    batch[index] = replace(batch[index], pub_input=bytes(wrong))
    task = rig.create_task(root_of(batch), files.put("/wrong", file_of(batch)))
    settings = rig.operator_settings(operator, postgres)
    async with (
        VerifierPool(1) as pool,
        running_operator(rig, operator, settings, pool, StubAggregator().transport()) as running,
    ):
        row = await running.reaches(task, "reported")
    assert (row["leaf_index"], row["leaf"]) == (index, commit(batch[index]).leaf)
    assert row["reason"] in ("public_input_mismatch", "invalid_proof", "malformed_public_input")
