"""Storage layouts of the upgradeable contracts: deployments/layouts/*.json, checked so that no upgrade moves a field.

`python tools/storage_layouts.py` rewrites the files and refuses a change that is not an addition at the end.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from harness import compile_file

ROOT = Path(__file__).resolve().parents[1]
LAYOUT_FOLDER = ROOT / "deployments" / "layouts"
HARNESS = "forge/StorageLayouts.sol"
CONTRACTS = (
    "AggregationModePaymentService",
    "AlignedLayerServiceManager",
    "AlignedProofAggregationService",
    "BatcherPaymentService",
    "OperatorRegistry",
)
_NAMESPACE = re.compile(r"@custom:storage-location erc7201:(\S+)")

Layout = dict[str, str]


def compute() -> dict[str, Layout]:
    """Layout by contract: field path → 'slot+offset type', slots counted from the namespace's root."""
    contracts = compile_file(HARNESS, ["storageLayout"])
    return {name: _layout(name, contracts[f"{name}Layout"]["storageLayout"]) for name in CONTRACTS}


def incompatibilities(old: Layout, new: Layout) -> list[str]:
    """Fields of `old` that `new` moved, retyped or lost."""
    return [
        f"{field}: {place} became {new.get(field, 'nothing')}"
        for field, place in old.items()
        if new.get(field) != place
    ]


def load(name: str) -> Layout:
    """The layout as it stands in its file; empty if there is none yet."""
    path = LAYOUT_FOLDER / f"{name}.json"
    stored: Layout = json.loads(path.read_text()) if path.is_file() else {}
    return stored


def _layout(name: str, storage: dict[str, Any]) -> Layout:
    source = (ROOT / "contracts" / f"{name}.sol").read_text()
    namespace = _NAMESPACE.findall(source)
    if len(namespace) != 1:
        raise RuntimeError(f"{name}: expected one namespace, found {namespace}")
    fields: Layout = {"namespace": namespace[0]}
    variable = storage["storage"][0]
    _flatten(storage["types"], variable["type"], 0, "", fields)
    return fields


def _flatten(types: dict[str, Any], type_id: str, base_slot: int, prefix: str, fields: Layout) -> None:
    """Adds the members of a struct; of a mapping or array also those of the struct that it holds."""
    for member in types[type_id].get("members", []):
        path = f"{prefix}{member['label']}"
        slot = base_slot + int(member["slot"])
        described = types[member["type"]]
        fields[path] = f"{slot}+{member['offset']} {described['label']}"
        element = described.get("value") or described.get("base")
        while element and types[element].get("value"):
            element = types[element]["value"]
        if element:
            _flatten(types, element, 0, f"{path}[].", fields)
        else:
            _flatten(types, member["type"], slot, f"{path}.", fields)


def main() -> int:
    """Writes the files; 1 if a field would move."""
    layouts = compute()
    problems = [
        f"{name}.{line}" for name, layout in layouts.items() for line in incompatibilities(load(name), layout)
    ]
    if problems:
        print(
            "not an addition; an upgrade would misread its storage:\n" + "\n".join(problems), file=sys.stderr
        )
        return 1
    LAYOUT_FOLDER.mkdir(parents=True, exist_ok=True)
    for name, layout in layouts.items():
        (LAYOUT_FOLDER / f"{name}.json").write_text(json.dumps(layout, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
