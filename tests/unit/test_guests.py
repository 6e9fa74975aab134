"""The committed guests: files, keys, ids and generated sources belong together."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import aligned_native as native
import pytest

ROOT = Path(__file__).resolve().parents[2]
ZKVM = ROOT / "zkvm"
ELF = ZKVM / "elf"
IDS = json.loads((ELF / "program_ids.json").read_text())
PROGRAMS = [(system, name) for system in ("sp1", "risc0") for name in ("user_proofs", "chunk", "fibonacci")]
MAX_MAIN_LINES = 60
ELF_MAGIC = b"\x7fELF"


@pytest.mark.parametrize(("system", "name"), PROGRAMS)
def test_program__file__has_the_digest_in_program_ids(system: str, name: str) -> None:
    entry = IDS[system][name]
    assert hashlib.sha256((ELF / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("name", ["user_proofs", "chunk", "fibonacci"])
def test_program__sp1_key__hashes_to_the_id(name: str) -> None:
    key = (ELF / f"sp1_{name}.vk").read_bytes()
    assert len(key) == 104
    assert "0x" + native.sp1_vkey_hash(key).hex() == IDS["sp1"][name]["program_id"]


def test_program_ids__all__are_different() -> None:
    assert len({IDS[system][name]["program_id"] for system, name in PROGRAMS}) == len(PROGRAMS)


def test_elf_folder__every_file__is_of_a_known_program() -> None:
    known = {IDS[system][name]["file"] for system, name in PROGRAMS} | {"program_ids.json"}
    known |= {f"sp1_{name}.vk" for name in ("user_proofs", "chunk", "fibonacci")}
    assert {path.name for path in ELF.iterdir()} == known


@pytest.mark.parametrize("system", ["sp1", "risc0"])
def test_chunk_guest__child_id__is_generated_from_program_ids(system: str, tmp_path: Path) -> None:
    fresh = tmp_path / "child.rs"
    command = [sys.executable, "tools/program_ids.py", str(ELF), "child", system, str(fresh)]
    subprocess.run(command, cwd=ROOT, check=True)
    assert (ZKVM / "programs" / system / "chunk" / "src" / "child.rs").read_text() == fresh.read_text()


@pytest.mark.parametrize("name", ["user_proofs", "chunk", "fibonacci"])
def test_risc0_chunk__binary__alone_holds_the_childs_id(name: str) -> None:
    """SP1's compiler takes the constant apart into instructions; there the rebuild shows that it is in."""
    child = bytes.fromhex(IDS["risc0"]["user_proofs"]["program_id"][2:])
    binary = (ELF / IDS["risc0"][name]["file"]).read_bytes()
    assert (child in binary) == (name == "chunk")


def test_mains__lines__are_below_the_budget() -> None:
    mains = [ZKVM / "programs" / system / name / "src" / "main.rs" for system, name in PROGRAMS]
    assert {
        str(main): n for main in mains if (n := len(main.read_text().splitlines())) > MAX_MAIN_LINES
    } == {}


@pytest.mark.parametrize(("system", "name"), PROGRAMS)
def test_program__file__names_no_folder_of_the_machine_that_built_it(system: str, name: str) -> None:
    binary = (ELF / IDS[system][name]["file"]).read_bytes()
    if system == "risc0":  # behind the program is RISC Zero's own kernel, which was built elsewhere
        binary = binary.rpartition(ELF_MAGIC)[0]
    folders = (f"{Path.home()}/".encode(), b"/tmp/", b".cargo/registry", str(ROOT).encode())
    assert [path for path in folders if path in binary] == []
