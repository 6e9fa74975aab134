"""No gas figure rises: each is measured afresh and compared with bench/gas.json, to the last digit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import bench_gas  # noqa: E402

BARS = {
    "create_new_task": 60_000,
    "respond_0": 195_000,
    "respond_per_non_signer": 7_000,
    "payment_100_payers": 700_000,
    "payment_one_payer_100": 200_000,
    "verify_batch_inclusion_16": 14_500,
    "subscribe": 55_000,
    "renew": 38_000,
    # 250,000 and 258,000 for the verification, 60,000 for the blob that no transaction is without.
    "verify_sp1_one_blob": 310_000,
    "verify_sp1_per_blob": 60_000,
    "verify_risc0_one_blob": 318_000,
    "verify_risc0_per_blob": 60_000,
    "verify_proof_inclusion_12": 13_000,
}


SNAPSHOT = json.loads(bench_gas.GAS_FILE.read_text())


@pytest.fixture(scope="module")
def measured(artifacts) -> dict[str, int]:
    return bench_gas.measure()


@pytest.mark.parametrize("name", sorted(SNAPSHOT))
def test_gas__measured_afresh__is_not_above_the_snapshot(measured, name):
    assert measured[name] <= SNAPSHOT[name], (
        "cheaper is welcome: then run `make bench-gas` and commit the file"
    )


@pytest.mark.parametrize("name", sorted(BARS))
def test_gas__measured_afresh__is_below_its_bar(measured, name):
    assert measured[name] <= BARS[name]
