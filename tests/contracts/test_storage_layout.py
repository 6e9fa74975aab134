"""No field of an upgradeable contract moves, and every namespace is where its constant says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from eth_utils import keccak

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import storage_layouts  # noqa: E402


@pytest.fixture(scope="module")
def layouts():
    return storage_layouts.compute()


@pytest.mark.parametrize("name", storage_layouts.CONTRACTS)
def test_layout__as_compiled__equals_the_stored_one(layouts, name):
    assert layouts[name] == storage_layouts.load(name)


@pytest.mark.parametrize("name", storage_layouts.CONTRACTS)
def test_namespace__constant_in_the_source__is_the_erc7201_slot(layouts, name):
    inner = int.from_bytes(keccak(text=layouts[name]["namespace"]), "big") - 1
    slot = int.from_bytes(keccak(inner.to_bytes(32, "big")), "big") & ~0xFF
    source = (ROOT / "contracts" / f"{name}.sol").read_text()
    assert re.findall(r"bytes32 private constant STORAGE = (0x[0-9a-f]{64});", source) == [f"0x{slot:064x}"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"a": "0+0 uint8", "b": "0+2 uint8"}, "b"),
        ({"a": "0+0 uint16", "b": "0+1 uint8"}, "a"),
        ({"a": "0+0 uint8"}, "b"),
    ],
    ids=["moved", "retyped", "lost"],
)
def test_incompatibilities__field_not_where_it_was__named(changed, named):
    old = {"a": "0+0 uint8", "b": "0+1 uint8"}
    problems = storage_layouts.incompatibilities(old, changed)
    assert [line.split(":")[0] for line in problems] == [named]
    assert storage_layouts.incompatibilities(old, old | {"c": "1+0 uint8"}) == []
