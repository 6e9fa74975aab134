"""The engine `process` with a worker that crashes, hangs, lies: the job fails, its owner goes on."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import AlignedError
from aligned.provers import worker as worker_module
from aligned.provers.base import ChunkResult, Progress, UserProof
from aligned.provers.errors import BadProof, JobMalformed, ProverFailed, UnsupportedLevel
from aligned.provers.levels import ProvingLevel
from aligned.provers.process import ProcessEngine
from aligned.provers.results import load_chunk
from aligned.provers.worker import WorkerCommand

SP1 = AggregationSystem.SP1
FAKE = Path(__file__).with_name("fake_worker.py")
COMMITMENTS = [bytes([1]) * 32, bytes([2]) * 32]
# The fake worker takes the public inputs for commitments.
PROOFS = [UserProof(b"proof", b"key", commitment) for commitment in COMMITMENTS]


def command(tmp_path: Path, scenario: str, memory_bytes: int = 2**30) -> WorkerCommand:
    arguments = [sys.executable, str(FAKE), scenario, str(tmp_path)]
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    return WorkerCommand(arguments, b"programs", environment, memory_bytes, tmp_path / "worker.log")


def engine(
    tmp_path: Path, scenario: str, timeout_s: float = 60.0, memory_bytes: int = 2**30
) -> ProcessEngine:
    def commands(system: AggregationSystem, level: ProvingLevel) -> WorkerCommand:
        return command(tmp_path, scenario, memory_bytes)

    return ProcessEngine(ProvingLevel.EXECUTE, tmp_path / "results", commands, timeout_s=timeout_s)


async def prove(it: ProcessEngine) -> ChunkResult:
    return await it.user_proofs(SP1, PROOFS, COMMITMENTS)


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        ("crash", "prover_crashed"),
        ("exit", "prover_crashed"),
        ("hang", "prover_timeout"),
        ("hoard", "prover_out_of_memory"),
        ("garbage", "prover_protocol"),
        ("nested", "prover_protocol"),
        ("endless_line", "prover_protocol"),
        ("other_job", "prover_protocol"),
        ("internal", "prover_failed"),
    ],
)
async def test_engine__worker_that_breaks__job_fails_and_the_next_one_is_done(
    tmp_path: Path, scenario: str, code: str
) -> None:
    timeout_s = 2.0 if scenario == "hang" else 60.0
    async with engine(tmp_path, scenario, timeout_s, memory_bytes=400 << 20) as it:
        with pytest.raises(ProverFailed) as failure:
            await prove(it)
        assert failure.value.code == code, failure.value
        assert failure.value.retryable
        assert (await prove(it)).cycles == 7


@pytest.mark.parametrize("scenario", ["crash", "bad_proof", "malformed", "internal"])
async def test_engine__failed_job__leaves_nothing_on_the_disk(tmp_path: Path, scenario: str) -> None:
    async with engine(tmp_path, scenario) as it:
        with pytest.raises(AlignedError):
            await prove(it)
    assert list((tmp_path / "results").iterdir()) == []


async def test_engine__done_job__leaves_its_result_and_no_inputs(tmp_path: Path) -> None:
    async with engine(tmp_path, "good") as it:
        folder = (await prove(it)).directory
    assert sorted(path.name for path in folder.iterdir()) == ["public_values.bin", "result.json"]


async def test_engine__job_past_its_deadline__children_of_the_worker_die_too(tmp_path: Path) -> None:
    async with engine(tmp_path, "hang_with_child", timeout_s=2.0) as it:
        with pytest.raises(ProverFailed, match="prover_timeout"):
            await prove(it)
    child = int((tmp_path / "child.pid").read_text())
    for _ in range(100):
        if not _runs(child):
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"process {child} of the killed worker still runs")


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


async def test_engine__cancelled_job__worker_is_gone_and_the_next_job_is_done(tmp_path: Path) -> None:
    async with engine(tmp_path, "hang") as it:
        job = asyncio.create_task(prove(it))
        for _ in range(1_000):
            if (tmp_path / "misbehaved").exists():
                break
            await asyncio.sleep(0.02)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert (await prove(it)).level is ProvingLevel.EXECUTE


async def test_engine__bad_proof__is_named_and_the_worker_lives_on(tmp_path: Path) -> None:
    async with engine(tmp_path, "bad_proof") as it:
        with pytest.raises(BadProof) as refusal:
            await prove(it)
        assert (refusal.value.index, refusal.value.code) == (1, "bad_proof")
        first = it._workers[SP1]
        await prove(it)
        assert it._workers[SP1] is first


@pytest.mark.parametrize(
    ("scenario", "error"),
    [("unsupported", UnsupportedLevel), ("malformed", JobMalformed), ("lie", JobMalformed)],
)
async def test_engine__answer_of_the_worker__is_an_error_of_its_own(
    tmp_path: Path, scenario: str, error: type[AlignedError]
) -> None:
    async with engine(tmp_path, scenario) as it:
        with pytest.raises(error):
            await prove(it)


async def test_engine__done_without_a_result__is_damaged(tmp_path: Path) -> None:
    async with engine(tmp_path, "no_result") as it:
        with pytest.raises(AlignedError, match="result_damaged"):
            await prove(it)


async def test_engine__wrong_result__is_not_kept(tmp_path: Path) -> None:
    async with engine(tmp_path, "lie") as it:
        with pytest.raises(JobMalformed):
            await prove(it)
        assert (await prove(it)).cycles == 7


@pytest.mark.parametrize("content", ["", "[]", "{", '{"public_values": "0x"}'])
async def test_engine__damaged_result__is_made_again(tmp_path: Path, content: str) -> None:
    async with engine(tmp_path, "good") as it:
        first = await prove(it)
        (first.directory / "result.json").write_text(content)
        assert await prove(it) == first


async def test_engine__proof_of_a_finished_job_is_gone__it_is_made_again(tmp_path: Path) -> None:
    async with engine(tmp_path, "good") as it:
        it.level = ProvingLevel.COMPRESSED
        proof = (await prove(it)).directory / "proof.bin"
        proof.unlink()
        await prove(it)
    assert proof.read_bytes() == b"proof"


async def test_engine__finished_job__comes_back_after_a_restart_without_a_worker(tmp_path: Path) -> None:
    async with engine(tmp_path, "good") as it:
        first = await prove(it)
    async with engine(tmp_path, "silent") as it:
        assert await prove(it) == first == load_chunk(first.directory)
        assert not it._workers


async def test_engine__other_proofs__are_another_job(tmp_path: Path) -> None:
    async with engine(tmp_path, "good") as it:
        first = await prove(it)
        other = await it.user_proofs(SP1, PROOFS[:1], COMMITMENTS[:1])
    assert first.directory != other.directory


async def test_engine__commitments_that_are_not_the_proofs__are_malformed(tmp_path: Path) -> None:
    async with engine(tmp_path, "good") as it:
        with pytest.raises(JobMalformed):
            await it.user_proofs(SP1, PROOFS, [bytes(32), bytes(32)])
        with pytest.raises(JobMalformed):
            await it.user_proofs(SP1, PROOFS, COMMITMENTS[:1])
        with pytest.raises(JobMalformed):
            await it.user_proofs(SP1, [], [])


async def test_engine__steps__are_passed_on(tmp_path: Path) -> None:
    steps: list[Progress] = []
    it = engine(tmp_path, "good")
    it._on_progress = steps.append
    async with it:
        result = await prove(it)
    assert [(step.job, step.step) for step in steps] == [(result.directory.name, "work")]


async def test_engine__program_that_is_not_there__says_how_to_build_it(tmp_path: Path) -> None:
    def commands(system: AggregationSystem, level: ProvingLevel) -> WorkerCommand:
        return WorkerCommand(["/nonexistent/prover"], b"", {}, 2**30, tmp_path / "log")

    async with ProcessEngine(ProvingLevel.EXECUTE, tmp_path, commands) as it:
        with pytest.raises(UnsupportedLevel, match="build_prover"):
            await prove(it)


async def test_engine__worker_that_never_says_ready__fails_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_START_TIMEOUT_S", 1.0)
    async with engine(tmp_path, "silent") as it:
        with pytest.raises(ProverFailed, match="prover_start"):
            await prove(it)


@pytest.mark.parametrize(
    ("system", "level"),
    [
        (SP1, ProvingLevel.COMPOSITE),
        (SP1, ProvingLevel.SUCCINCT),
        (AggregationSystem.RISC0, ProvingLevel.NETWORK),
    ],
)
async def test_engine__level_of_the_other_system__is_unsupported(
    tmp_path: Path, system: AggregationSystem, level: ProvingLevel
) -> None:
    it = engine(tmp_path, "good")
    it.level = level
    async with it:
        with pytest.raises(UnsupportedLevel):
            await it.user_proofs(system, PROOFS, COMMITMENTS)
