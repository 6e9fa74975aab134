"""The guests are built again, at another place, and must come out byte by byte as they are committed.

Minutes of CPU the first time, for std; the copy and what is built of it stay in the cache for the next run.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ELF = ROOT / "zkvm" / "elf"
IDS = json.loads((ELF / "program_ids.json").read_text())
CACHE = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "aligned"
NO_TOOLCHAIN = 3
LIMIT_S = 1_500


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder of this test alone; its name would break a careless script."""
    folder = CACHE / "guests built elsewhere"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


@pytest.fixture(scope="module")
def rebuilt(place: Path) -> Path:
    """Folder of ELF files built from a copy of the tracked sources."""
    copy_sources(place)
    toolchain = build(place, "--toolchain")
    if toolchain.returncode == NO_TOOLCHAIN:
        pytest.skip(f"the guests' toolchain is not here: {toolchain.stderr.strip()}")
    if toolchain.stdout.strip() != IDS["toolchain"]:
        pytest.skip(f"the guests were built with {IDS['toolchain']}, here is {toolchain.stdout.strip()}")
    shutil.rmtree(place / "out", ignore_errors=True)
    result = build(place, "--elf-only", str(place / "out"))
    assert result.returncode == 0, result.stderr[-4_000:]
    return place / "out"


def copy_sources(place: Path) -> None:
    """Copies what build.sh reads, and removes what was copied before and is no longer there."""
    shutil.rmtree(place / "zkvm", ignore_errors=True)
    listing = ["git", "ls-files", "-z", "zkvm/build.sh", "zkvm/core", "zkvm/programs"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place / name)


def build(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the copied build.sh."""
    command = [str(place / "zkvm" / "build.sh"), *arguments]
    environment = os.environ | {"GUEST_TARGET_DIR": str(place / "target")}
    return subprocess.run(
        command, env=environment, check=False, capture_output=True, text=True, timeout=LIMIT_S
    )


@pytest.mark.parametrize("name", ["user_proofs", "chunk", "fibonacci"])
def test_sp1_guest__built_elsewhere__has_the_committed_bytes(rebuilt: Path, name: str) -> None:
    assert (rebuilt / f"sp1_{name}.elf").read_bytes() == (ELF / IDS["sp1"][name]["file"]).read_bytes()


@pytest.mark.parametrize("name", ["user_proofs", "chunk", "fibonacci"])
def test_risc0_guest__built_elsewhere__is_the_program_in_the_committed_binary(
    rebuilt: Path, name: str
) -> None:
    """The committed file is a header, the program behind its length, and RISC Zero's kernel."""
    program = (rebuilt / f"risc0_{name}.elf").read_bytes()
    binary = (ELF / IDS["risc0"][name]["file"]).read_bytes()
    start = binary.index(b"\x7fELF")
    assert int.from_bytes(binary[start - 4 : start], "little") == len(program)
    assert binary[start : start + len(program)] == program
    assert binary[start + len(program) :].startswith(b"\x7fELF")
