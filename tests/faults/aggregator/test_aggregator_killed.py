"""An aggregator that is killed at the worst moments answers exactly once."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import pytest
from web3 import Web3

from aligned.chain.abi import contract_abi
from aligned.devnet.process import free_port
from aligned.wire.aggregator import hex_of
from tests.faults.processes import role_process, until, write_settings
from tests.integration.rig import Rig, RigTask, running_rig
from tests.integration.votes import signature_of


def _state(url: str, task: RigTask) -> str | None:
    try:
        answer = httpx.get(f"{url}/v1/tasks/{hex_of(task.batch_id)}", trust_env=False)
    except httpx.HTTPError:
        return None
    return str(answer.json().get("state"))


def _vote(url: str, rig: Rig, task: RigTask) -> None:
    for operator in rig.operators:
        try:
            httpx.post(
                f"{url}/v1/signatures", json=signature_of(rig, operator, task), trust_env=False, timeout=20
            )
        except httpx.HTTPError:
            return  # it died while it had the quorum already


def _times_verified(rig: Rig) -> int:
    topic = "0x" + contract_abi("AlignedLayerServiceManager").events["BatchVerified"].topic.hex()
    wanted = {"fromBlock": "0x0", "address": rig.deployment.service_manager, "topics": [topic]}
    return len(rig.web3.eth.get_logs(wanted))  # type: ignore[arg-type]


@pytest.mark.parametrize("moment", ["simulated", "journaled", "broadcast", "mined", "settled"])
def test_aggregator__killed_while_answering__answers_exactly_once(
    tmp_path: Path, postgres: str, moment: str
) -> None:
    with running_rig(tmp_path, operators=3) as rig:
        account, port = rig.node.new_account(), free_port()
        file = write_settings(
            rig.aggregator_settings(account, postgres, port=port), tmp_path / "aggregator.json"
        )
        url = f"http://127.0.0.1:{port}"
        task = rig.create_task(b"\x33" * 32, "x")
        rig.node.mine()
        with role_process("aggregator", file, moment) as process:
            until(lambda: _state(url, task) is not None, "aggregator up")
            _vote(url, rig, task)
            assert process.wait(60) == -signal.SIGKILL
        with role_process("aggregator", file):
            until(lambda: _state(url, task) == "answered", "answered")
        assert _times_verified(rig) == 1
        assert rig.node.nonce(account.address) == 1


def test_aggregator__killed_between_quorum_and_answer__answers_after_restart(
    tmp_path: Path, postgres: str
) -> None:
    with running_rig(tmp_path, operators=4) as rig:
        account, port = rig.node.new_account(), free_port()
        patient = rig.aggregator_settings(account, postgres, port=port, late_signer_wait_s=3600.0)
        file = write_settings(patient, tmp_path / "aggregator.json")
        url = f"http://127.0.0.1:{port}"
        task = rig.create_task(b"\x33" * 32, "x")
        rig.node.mine()
        absent = rig.operators.pop()
        with role_process("aggregator", file) as process:
            until(lambda: _state(url, task) is not None, "aggregator up")
            _vote(url, rig, task)
            until(lambda: _state(url, task) == "quorum", "quorum")
            process.kill()
            process.wait()
        assert _times_verified(rig) == 0
        quick = rig.aggregator_settings(account, postgres, port=port)
        with role_process("aggregator", write_settings(quick, file)):
            until(lambda: _state(url, task) == "answered", "answered")
            described = httpx.get(f"{url}/v1/tasks/{hex_of(task.batch_id)}", trust_env=False).json()
        assert hex_of(absent.operator_id) not in described["signers"]
        assert _times_verified(rig) == 1
        assert Web3.to_int(rig.web3.eth.get_balance(account.address)) < 100 * 10**18
