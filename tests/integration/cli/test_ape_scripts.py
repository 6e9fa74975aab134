"""Every `ape run` command starts: Ape takes the project off the import path once a script is read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
COMMANDS = [
    *("deploy", "devnet", "demo", "batcher", "aggregator", "operator register", "proof submit"),
    *("poller", "gateway", "aggregate", "prover", "deploy-batcher"),
]


def ape(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [str(BIN / "ape"), *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def scripts() -> set[str]:
    return {path.stem for path in (ROOT / "scripts").glob("*.py")}


def test_list__scripts_on_disk__all_are_tried_here() -> None:
    assert {command.split()[0] for command in COMMANDS} == scripts()


@pytest.mark.parametrize("name", sorted(scripts()))
def test_script__length__is_that_of_a_thin_call(name: str) -> None:
    assert 10 <= len((ROOT / "scripts" / f"{name}.py").read_text().splitlines()) <= 40


@pytest.mark.parametrize("command", COMMANDS)
def test_ape_run__help__starts_and_explains(command: str) -> None:
    done = ape("run", *command.split(), "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


def test_ape_run_proof_inspect__real_proof__runs_to_its_end() -> None:
    folder = ROOT / "tests" / "vectors" / "risc0"
    files = ("--program", str(folder / "groth16_v3.id"), "--public-input", str(folder / "groth16_v3.pub"))
    done = ape(
        "run", "proof", "inspect", str(folder / "groth16_v3.proof"), "--system", "Risc0", *files, "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["valid"] is True


def test_ape_run_deploy__ephemeral_chain__deploys_and_writes_where_asked(tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    network = ("--network", "ethereum:local:foundry", "--account", "TEST::0")
    params = str(ROOT / "deployments" / "params" / "devnet.yaml")
    done = ape("run", "deploy", *network, "--params", params, "--output", str(file))
    assert done.returncode == 0, done.stderr
    assert json.loads(file.read_text())["chain_id"] == 31337
