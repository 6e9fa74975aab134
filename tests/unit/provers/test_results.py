"""Result folders, job names, levels, requests, and the environment of workers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.core.aggregation import AggregationSystem, dev_proof
from aligned.core.errors import DependencyError
from aligned.provers.base import UserProof
from aligned.provers.commands import GIB, worker_command
from aligned.provers.inputs import write_commitments, write_proofs
from aligned.provers.levels import LEVELS, ProvingLevel
from aligned.provers.results import STAND_IN, is_finished, job_digest, load_chunk, load_final

SP1, RISC0 = AggregationSystem.SP1, AggregationSystem.RISC0
PROGRAM = bytes([3]) * 32
VALUES = bytes(range(128))


def result(folder: Path, **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "public_values.bin").write_bytes(VALUES)
    summary = {
        "system": "sp1",
        "level": "execute",
        "program_id": "0x" + PROGRAM.hex(),
        "public_values": "0x" + VALUES.hex(),
        "checked": ["a"],
        "not_checked": ["b"],
        "cycles": 5,
        "seconds": 1.5,
        "peak_rss_bytes": 9,
    }
    (folder / "result.json").write_text(json.dumps(summary | changes))
    return folder


def test_load__stored_result__comes_back(tmp_path: Path) -> None:
    loaded = load_chunk(result(tmp_path / "r"))
    assert (loaded.system, loaded.level, loaded.program_id) == (SP1, ProvingLevel.EXECUTE, PROGRAM)
    assert (loaded.checked, loaded.not_checked, loaded.cycles) == (("a",), ("b",), 5)


@pytest.mark.parametrize(
    ("level", "byte"), [("native", 1), ("execute", 2), ("compressed", 3), ("composite", 3), ("succinct", 4)]
)
def test_load_final__level_below_groth16__stand_in_of_the_dev_verifier(
    tmp_path: Path, level: str, byte: int
) -> None:
    """Even where a real STARK lies beside it: no contract takes that."""
    folder = result(tmp_path / "r", level=level)
    (folder / "proof.bin").write_bytes(b"a STARK")
    assert load_final(folder).proof == dev_proof(byte, PROGRAM, VALUES)


@pytest.mark.parametrize("system", LEVELS)
def test_load_final__every_level__says_that_all_is_proved_only_where_a_contract_checks_the_proof(
    tmp_path: Path, system: AggregationSystem
) -> None:
    """A worker at a proving level leaves `not_checked` empty: what is made of its proof is not its business."""
    whole = set()
    for level in LEVELS[system]:
        folder = result(tmp_path / level, system=system.wire_name, level=level, not_checked=[])
        (folder / "proof.bin").write_bytes(b"proof")
        if not load_final(folder).not_checked:
            whole.add(level)
    assert whole == LEVELS[system] & {ProvingLevel.GROTH16, ProvingLevel.NETWORK}


def test_load_final__stand_in__is_told_after_what_the_worker_says(tmp_path: Path) -> None:
    assert load_final(result(tmp_path / "r")).not_checked == ("b", STAND_IN)


@pytest.mark.parametrize("level", ["groth16", "network"])
def test_load_final__groth16__the_proof_itself(tmp_path: Path, level: str) -> None:
    folder = result(tmp_path / "r", level=level)
    with pytest.raises(DependencyError, match="result_damaged"):
        load_final(folder)
    (folder / "proof.bin").write_bytes(b"proof")
    assert load_final(folder).proof == b"proof"


@pytest.mark.parametrize(
    "changes",
    [{"public_values": "0x00"}, {"system": "other"}, {"level": "stark"}, {"cycles": "many"}, {"program_id": "0xzz"},
     {"program_id": 5}, {"checked": 7}],
)  # fmt: skip
def test_load__damaged_summary__dependency_error(tmp_path: Path, changes: dict[str, object]) -> None:
    folder = result(tmp_path / "r", **changes)
    with pytest.raises(DependencyError, match="result_damaged"):
        load_chunk(folder)
    assert not is_finished(folder)


def test_load__summary_nested_too_deeply__dependency_error(tmp_path: Path) -> None:
    folder = result(tmp_path / "r")
    (folder / "result.json").write_text("[" * 50_000)
    with pytest.raises(DependencyError, match="result_damaged"):
        load_chunk(folder)


@pytest.mark.parametrize("missing", ["public_values.bin", "result.json"])
def test_is_finished__file_missing__no(tmp_path: Path, missing: str) -> None:
    folder = result(tmp_path / "r")
    assert is_finished(folder)
    (folder / missing).unlink()
    assert not is_finished(folder)


@pytest.mark.parametrize("level", ["compressed", "composite", "succinct", "groth16", "network"])
def test_is_finished__proof_missing__not_where_the_level_proves(tmp_path: Path, level: str) -> None:
    folder = result(tmp_path / "r", level=level)
    assert not is_finished(folder)
    with pytest.raises(DependencyError, match="result_damaged"):
        load_chunk(folder)
    (folder / "proof.bin").write_bytes(b"proof")
    assert is_finished(folder)


@given(st.lists(st.binary(max_size=8), max_size=4), st.lists(st.binary(max_size=8), max_size=4))
def test_job_digest__other_parts__another_name(first: list[bytes], second: list[bytes]) -> None:
    """Also where only the boundaries between the parts differ."""
    assert (job_digest(first) == job_digest(second)) == (first == second)


def test_job_digest__file__is_its_content(tmp_path: Path) -> None:
    (tmp_path / "proof").write_bytes(b"proof")
    assert job_digest([tmp_path / "proof"]) == job_digest([b"proof"])


def test_write_proofs__bytes_and_files__paths_of_both(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"key")
    (entry,) = write_proofs(tmp_path / "out", [UserProof(b"proof", key, b"values")])
    assert entry["key"] == str(key)
    assert [Path(entry[name]).read_bytes() for name in ("proof", "public_inputs")] == [b"proof", b"values"]


def test_write_commitments__chunks__one_file_each(tmp_path: Path) -> None:
    paths = write_commitments(tmp_path, [[b"a" * 32, b"b" * 32], [b"c" * 32]])
    assert [Path(path).read_bytes() for path in paths] == [b"a" * 32 + b"b" * 32, b"c" * 32]


def test_levels__final_groth16__takes_in_recursive_proofs() -> None:
    assert ProvingLevel.GROTH16.of_chunks(SP1) is ProvingLevel.COMPRESSED
    assert ProvingLevel.GROTH16.of_chunks(RISC0) is ProvingLevel.SUCCINCT
    for system, levels in LEVELS.items():
        assert all(level.of_chunks(system) in levels for level in levels)
        assert all(level is level.of_chunks(system) for level in levels if level is not ProvingLevel.GROTH16)


def test_levels__names__fit_the_schema() -> None:
    schema = Path("offchain/aligned/storage/migrations/aggregation/0001_aggregation.sql").read_text()
    assert all(f"'{level}'" in schema for level in ProvingLevel)


def test_worker_command__environment__no_secret_and_no_development_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISC0_DEV_MODE", "1")
    monkeypatch.setenv("NETWORK_PRIVATE_KEY", "0xsecret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    for level in LEVELS[SP1] - {ProvingLevel.NETWORK}:
        environment = worker_command(SP1, level, tmp_path / "log").environment
        assert "PATH" in environment
        assert not {"RISC0_DEV_MODE", "NETWORK_PRIVATE_KEY", "DATABASE_URL"} & set(environment)
    network = worker_command(SP1, ProvingLevel.NETWORK, tmp_path / "log").environment
    assert network["NETWORK_PRIVATE_KEY"] == "0xsecret"


def test_worker_command__proving_level__low_memory_and_own_settings_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SP1_WORKER_NUM_CORE_WORKERS", "4")
    command = worker_command(SP1, ProvingLevel.COMPRESSED, tmp_path / "log")
    assert command.environment["SP1_WORKER_NUM_CORE_WORKERS"] == "4"
    assert command.environment["SP1_WORKER_NUM_DEFERRED_WORKERS"] == "1"
    assert command.memory_bytes == 22 * GIB
    assert worker_command(SP1, ProvingLevel.EXECUTE, tmp_path / "log").memory_bytes < 8 * GIB


def test_worker_command__other_programs__are_another_identity(tmp_path: Path) -> None:
    (tmp_path / "program_ids.json").write_text("{}")
    own = worker_command(SP1, ProvingLevel.EXECUTE, tmp_path / "log")
    assert (
        worker_command(SP1, ProvingLevel.EXECUTE, tmp_path / "log", programs=tmp_path).identity
        != own.identity
    )
