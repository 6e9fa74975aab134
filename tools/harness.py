"""Compiles Solidity that is not part of the product (forge/) with the product's compiler and settings."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_IMPORT = re.compile(r'^\s*import\s[^;]*?"([^"]+)"\s*;|\bfrom\s+"([^"]+)"\s*;', re.MULTILINE)
# As in ape-config.yaml and foundry.toml.
_SETTINGS = {"viaIR": True, "optimizer": {"enabled": True, "runs": 1_000_000}, "evmVersion": "cancun"}


def compile_file(name: str, outputs: list[str], settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """The compiler's output by contract of one file.

    Args:
        name: path of the file within the repository.
        outputs: what the compiler shall give, in its own terms.

    Raises:
        RuntimeError: it does not compile.
    """
    request = {
        "language": "Solidity",
        "sources": _sources(name),
        "settings": (settings or {}) | {"outputSelection": {name: {"*": outputs}}},
    }
    answer = subprocess.run(
        [str(ROOT / "tools" / "solc"), "--standard-json"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
    )
    output = json.loads(answer.stdout)
    problems = [e["formattedMessage"] for e in output.get("errors", []) if e["severity"] == "error"]
    if problems:
        raise RuntimeError("\n".join(problems))
    contracts: dict[str, Any] = output["contracts"][name]
    return contracts


@cache
def contracts_of(name: str) -> dict[str, tuple[list[dict[str, Any]], str]]:
    """ABI and creation bytecode of each contract of a file, compiled as the product is."""
    compiled = compile_file(name, ["abi", "evm.bytecode.object"], _SETTINGS)
    return {
        contract: (entry["abi"], str(entry["evm"]["bytecode"]["object"]))
        for contract, entry in compiled.items()
    }


def _sources(entry: str) -> dict[str, dict[str, str]]:
    """The file and all that it imports, by the names under which the compiler looks for them."""
    found: dict[str, dict[str, str]] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = ROOT / "node_modules" / name if name.startswith("@") else ROOT / name
        text = path.read_text()
        found[name] = {"content": text}
        waiting += [_resolve(name, first or second) for first, second in _IMPORT.findall(text)]
    return found


def _resolve(importer: str, imported: str) -> str:
    if not imported.startswith("."):
        return imported
    parts = importer.split("/")[:-1]
    for step in imported.split("/"):
        if step == "..":
            parts.pop()
        elif step != ".":
            parts.append(step)
    return "/".join(parts)
