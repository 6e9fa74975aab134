"""A gateway that is killed at the worst moments loses no charged proof, charges none twice, and leaves no litter."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from aligned.settings import Settings
from aligned.storage.postgres import Database, migrate
from tests.faults.gateway.process import MOMENTS
from tests.faults.processes import PROJECT, until, write_settings
from tests.integration.gateway.running import gateway_settings
from tests.integration.gateway.submitter import Proof, Submitter, pay, post, sp1, submitter


@dataclass
class Bed:
    """A database, settings, and an account that has paid."""

    db: Database
    settings: Settings
    file: Path
    user: Submitter

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.gateway.port}"

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    async def books(self) -> tuple[list[str], int, int]:
        """States of all proofs, what is used of the quota, and the next nonce."""
        async with self.db.transaction() as conn:
            states = await (await conn.execute("SELECT state FROM proofs ORDER BY number")).fetchall()
            row = await (
                await conn.execute(
                    "SELECT sum(used)::int AS used, coalesce((SELECT next_nonce FROM accounts), 0) AS nonce FROM quotas"
                )
            ).fetchone()
        assert row is not None
        return [state["state"] for state in states], row["used"], row["nonce"]

    def files(self) -> tuple[int, int]:
        """Stored proofs, and folders of the spool."""
        return len(list(Path(self.settings.store.url).iterdir())), len(
            list(self.settings.gateway.spool_dir.iterdir())
        )


@pytest_asyncio.fixture
async def bed(tmp_path: Path, postgres: str) -> AsyncIterator[Bed]:
    settings = gateway_settings(postgres, tmp_path, verifier_workers=1, lease_s=1.0)
    async with Database(postgres) as db:
        await migrate(db, "aggregation")
        user = submitter()
        await pay(db, user.address)
        yield Bed(db, settings, write_settings(settings, tmp_path / "gateway.json"), user)


@contextmanager
def started(bed: Bed, moment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A gateway that may not listen yet."""
    command = [sys.executable, "-m", "tests.faults.gateway.process", str(bed.file), moment]
    with bed.file.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def gateway(bed: Bed, moment: str = "never") -> Iterator[subprocess.Popen[bytes]]:
    with started(bed, moment) as process:
        until(bed.is_ready, f"gateway up, see {bed.file.with_suffix('.log')}")
        yield process


async def _dies(bed: Bed, moment: str, proof: Proof) -> None:
    with gateway(bed, moment) as process:
        with pytest.raises(httpx.HTTPError):
            await post(bed.url, bed.user.form(proof, 0))
        assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL


@pytest.mark.parametrize("moment", MOMENTS)
async def test_gateway__killed_on_the_way__next_one_finishes_and_sending_again_is_free(
    bed: Bed, moment: str
) -> None:
    await _dies(bed, moment, sp1())
    assert len((await bed.books())[0]) == (moment not in ("uploaded", "stored"))
    with gateway(bed):
        answer = await post(bed.url, bed.user.form(sp1(), 0))
        assert (answer.status_code, answer.json()["state"]) in ((200, "pending"), (201, "pending"))
        assert await bed.books() == (["pending"], 1, 1)
        assert bed.files() == (1, 1)


async def test_gateway__killed_and_nobody_sends_again__next_one_finishes_by_itself(bed: Bed) -> None:
    await _dies(bed, "verifying", sp1())
    assert await bed.books() == (["verifying"], 1, 1)
    with gateway(bed):
        await _reaches(bed, (["pending"], 1, 1))


async def test_gateway__killed_while_it_verifies_a_bad_proof__next_one_rejects_it_and_gives_back(
    bed: Bed,
) -> None:
    await _dies(bed, "verifying", replace(sp1(), public_inputs=b"other"))
    with gateway(bed):
        await _reaches(bed, (["rejected"], 0, 1), files=(0, 1))


async def test_gateway__proof_ends_every_process_that_verifies_it__rejected_after_five_more(bed: Bed) -> None:
    await _dies(bed, "verifying", sp1())
    async with bed.db.transaction() as conn:
        await conn.execute("UPDATE proofs SET attempts = 4")
    with started(bed, "verifying") as process:
        assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
    with gateway(bed):
        await _reaches(bed, (["rejected"], 0, 1), files=(0, 1))


async def _reaches(bed: Bed, books: tuple[list[str], int, int], files: tuple[int, int] | None = None) -> None:
    """Waits for what is in the database, and then in the store, which follows it."""
    for _ in range(600):
        if await bed.books() == books and files in (None, bed.files()):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{await bed.books()}, {bed.files()} is not {books}, {files}")
