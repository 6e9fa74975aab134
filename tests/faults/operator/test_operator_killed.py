"""An operator that is killed while it verifies votes after its restart, once."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.faults.processes import role_process, until, write_settings
from tests.integration.files import FileServer
from tests.integration.operator.harness import file_of, proofs, root_of
from tests.integration.rig import running_rig


def test_operator__killed_while_verifying__votes_after_restart(tmp_path: Path, postgres: str) -> None:
    batch = proofs(b"one", b"two")
    with running_rig(tmp_path, operators=1) as rig, FileServer() as files:
        operator = rig.operators[0]
        settings = rig.operator_settings(operator, postgres, aggregator_urls=(files.url,), lease_s=1.0)
        file = write_settings(settings, tmp_path / "operator.json")
        task = rig.create_task(root_of(batch), files.put("/batch", file_of(batch)))
        with role_process("operator", file, "verifying") as process:
            assert process.wait(60) == -signal.SIGKILL
        assert files.posts == []
        with role_process("operator", file):
            until(lambda: bool(files.posts), "a vote")
        [(path, body)] = files.posts
        assert path == "/v1/signatures"
        assert json.loads(body)["task_block"] == task.task_block


def test_operator__killed_again_and_again__votes_once_with_one_signature(
    tmp_path: Path, postgres: str
) -> None:
    batch = proofs(b"one")
    with running_rig(tmp_path, operators=1) as rig, FileServer() as files:
        operator = rig.operators[0]
        settings = rig.operator_settings(operator, postgres, aggregator_urls=(files.url,), lease_s=1.0)
        file = write_settings(settings, tmp_path / "operator.json")
        rig.create_task(root_of(batch), files.put("/batch", file_of(batch)))
        for _ in range(2):
            with role_process("operator", file):
                until(lambda: bool(files.posts), "a vote")
        assert len({json.loads(body)["signature"] for _, body in files.posts}) == 1
