"""An intake that is killed at any moment takes every proof of a batch once."""

from __future__ import annotations

import signal
from pathlib import Path

import psycopg
import pytest

from aligned.wire.batch_file import encode_batch
from tests.faults.intake.process import MOMENTS
from tests.faults.processes import module_process, until, write_settings
from tests.integration.files import FileServer
from tests.integration.intake.harness import QUICK, root_of, small_proofs
from tests.integration.rig import running_rig


@pytest.mark.parametrize("moment", MOMENTS)
def test_intake__killed__takes_every_proof_once(tmp_path: Path, postgres: str, moment: str) -> None:
    batch = small_proofs(b"one", b"two", b"three")
    store = tmp_path / "store"
    with running_rig(tmp_path, operators=0) as rig, FileServer() as files:
        rig.create_task(root_of(batch), files.put("/batch", encode_batch(batch)))
        own = QUICK | {"lease_s": 1.0, "max_attempts": 100}
        settings = rig.settings(postgres, intake=own, store={"url": str(store)})
        file = write_settings(settings, tmp_path / "intake.json")

        def run(moment: str) -> None:
            with module_process("tests.faults.intake.process", file, str(file), moment) as process:
                if moment == "never":
                    until(lambda: _state(postgres) == "taken", "the batch is taken")
                else:
                    assert process.wait(60) == -signal.SIGKILL

        run(moment)
        # All proofs of the batch together with its state, or nothing of it.
        assert (len(_proofs(postgres)), _state(postgres)) == (
            (3, "taken") if moment == "taken" else (0, "new")
        )
        run("never")
    rows = _proofs(postgres)
    assert [index for index, _ in rows] == [0, 1, 2]
    assert [(store / key).read_bytes() for _, key in rows] == [item.proof for item in batch]
    assert len(list(store.iterdir())) == 3


def _state(url: str) -> str | None:
    with psycopg.connect(url) as conn:
        row = conn.execute("SELECT state FROM intake_batches").fetchone()
        return None if row is None else str(row[0])


def _proofs(url: str) -> list[tuple[int, str]]:
    with psycopg.connect(url) as conn:
        return conn.execute("SELECT batch_index, proof_object FROM proofs ORDER BY batch_index").fetchall()
