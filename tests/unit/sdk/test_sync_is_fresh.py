"""The blocking client is generated; this says when somebody forgot to."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SDK = ROOT / "offchain" / "aligned" / "sdk"


def test_generator__check__finds_the_committed_file_fresh() -> None:
    done = subprocess.run([sys.executable, "tools/generate_sync_sdk.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, "run tools/generate_sync_sdk.py"


def public_names(path: Path, class_name: str) -> set[str]:
    classes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
    body = next(node for node in classes if node.name == class_name).body
    functions = (node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions if not function.name.startswith("_")}


def test_sync_client__public_methods__are_those_of_the_asynchronous_one() -> None:
    assert public_names(SDK / "_sync.py", "SyncClient") == public_names(SDK / "client.py", "AlignedClient")
