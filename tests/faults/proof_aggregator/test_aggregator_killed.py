"""A proof aggregator that is killed at any moment loses nothing and pays once."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from aligned.settings import Settings
from tests.faults.processes import PROJECT, write_settings
from tests.faults.proof_aggregator.process import MOMENTS
from tests.integration.proof_aggregator.conftest import MakeParts
from tests.integration.proof_aggregator.harness import AggregationRig, Parts, aggregation_rig

DEADLINE_S = 300.0


@pytest.fixture
def rig() -> Iterator[AggregationRig]:
    with aggregation_rig() as made:
        yield made


@contextmanager
def aggregator(file: Path, moment: str = "never") -> Iterator[subprocess.Popen[bytes]]:
    """One life of an aggregator; killed at the end of the block if it still runs."""
    command = [sys.executable, "-m", "tests.faults.proof_aggregator.process", str(file), moment]
    with file.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def settings_file(
    rig: AggregationRig, url: str, folder: Path, account: LocalAccount, name: str = "one", **own: Any
) -> Path:
    rig.deployment.save(folder / "deployment.json")
    settings = Settings(
        chain={  # type: ignore[arg-type]
            "rpc_urls": (rig.node.url,),
            "deployment_file": folder / "deployment.json",
            "poll_s": 0.1,
            "request_timeout_s": 60,
        },
        database={"url": url},  # type: ignore[arg-type]
        store={"url": str(folder / "store")},  # type: ignore[arg-type]
        proof_aggregator={  # type: ignore[arg-type]
            "devnet_private_key": account.key.hex(),
            "sp1_level": "native",
            "risc0_level": "native",
            "result_dir": folder / "aggregator",
            "chunk_proofs": 4,
            "max_proofs": 16,
            "min_proofs": 1,
            "lease_s": 2.0,
            "retry_s": 0.1,
            "poll_s": 0.05,
            "final_blocks": 2,
        }
        | own,
    )
    return write_settings(settings, folder / f"{name}.json")


async def until_final(parts: Parts, rig: AggregationRig, number: int) -> None:
    """Waits for so many final proofs while the chain goes on."""
    deadline = time.monotonic() + DEADLINE_S
    while await parts.count("proofs", "state = 'final'") < number:
        assert time.monotonic() < deadline, await parts.rows("SELECT state, last_error FROM aggregations")
        await let_blocks_pass(parts, rig)


async def let_blocks_pass(parts: Parts, rig: AggregationRig) -> None:
    """A block for a root that waits to be final."""
    if await parts.count("aggregations", "state = 'mined'"):
        await asyncio.to_thread(rig.node.mine)
    await asyncio.sleep(0.2)


async def until_dead(process: subprocess.Popen[bytes], parts: Parts, rig: AggregationRig, what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while process.poll() is None:
        assert time.monotonic() < deadline, f"never {what}"
        await let_blocks_pass(parts, rig)
    assert process.returncode == -signal.SIGKILL, what


async def test_aggregator__killed_at_every_moment_in_turn__nothing_lost_nothing_paid_twice(
    rig: AggregationRig, make: MakeParts, postgres: str, tmp_path: Path
) -> None:
    parts = make(rig)
    account = rig.node.new_account()
    await parts.add(6)
    file = settings_file(rig, postgres, tmp_path, account)
    for moment in MOMENTS:
        with aggregator(file, moment) as process:
            await until_dead(process, parts, rig, moment)
    with aggregator(file):
        await until_final(parts, rig, 6)
    assert await parts.states("aggregations") == ["final"]
    assert (len(rig.roots()), rig.node.nonce(account.address)) == (1, 1)
    indices = await parts.rows("SELECT leaf_index FROM proofs ORDER BY leaf_index")
    assert [row["leaf_index"] for row in indices] == list(range(6))


@pytest.mark.parametrize("moment", ["broadcast", "recording_mined"])
async def test_aggregator__killed_once__nothing_lost_nothing_paid_twice(
    rig: AggregationRig, make: MakeParts, postgres: str, tmp_path: Path, moment: str
) -> None:
    parts = make(rig)
    account = rig.node.new_account()
    await parts.add(2)
    file = settings_file(rig, postgres, tmp_path, account)
    with aggregator(file, moment) as process:
        await until_dead(process, parts, rig, moment)
    with aggregator(file):
        await until_final(parts, rig, 2)
    assert (len(rig.roots()), rig.node.nonce(account.address)) == (1, 1)


async def test_aggregators__two_over_one_database__each_proof_once(
    rig: AggregationRig, make: MakeParts, postgres: str, tmp_path: Path
) -> None:
    parts = make(rig)
    first, second = rig.node.new_account(), rig.node.new_account()
    one = settings_file(rig, postgres, tmp_path, first, "one", max_proofs=8, lease_s=30.0)
    two = settings_file(rig, postgres, tmp_path, second, "two", max_proofs=8, lease_s=30.0)
    await parts.add(10)
    with aggregator(one), aggregator(two):
        await parts.add(10)
        await parts.add(6, b"good")
        await until_final(parts, rig, 26)
    roots = rig.roots()
    assert len(roots) == await parts.count("aggregations") == len({log["topics"][1] for log in roots})
    sent = rig.node.nonce(first.address) + rig.node.nonce(second.address)
    assert (sent, await parts.count("aggregations", "state <> 'final'")) == (len(roots), 0)
    placed = await parts.rows("SELECT count(DISTINCT (aggregation_id, leaf_index)) AS n FROM proofs")
    assert placed[0]["n"] == 26


async def test_aggregators__one_dies_with_its_transaction_out__the_other_does_not_pay_too(
    rig: AggregationRig, make: MakeParts, postgres: str, tmp_path: Path
) -> None:
    rig.node.rpc("evm_setAutomine", False)
    parts = make(rig)
    first, second = rig.node.new_account(), rig.node.new_account()
    await parts.add(2)
    with aggregator(settings_file(rig, postgres, tmp_path, first), "broadcast") as process:
        assert await asyncio.to_thread(process.wait, DEADLINE_S) == -signal.SIGKILL
    with aggregator(settings_file(rig, postgres, tmp_path, second, "two")):
        deadline = time.monotonic() + DEADLINE_S
        while not await parts.count("aggregations", "last_error LIKE '%%sent_by_another_account%%'"):
            assert time.monotonic() < deadline, "never looked at"
            await asyncio.sleep(0.2)
        rig.node.mine()
        await until_final(parts, rig, 2)
    assert (rig.node.nonce(first.address), rig.node.nonce(second.address), len(rig.roots())) == (1, 0, 1)
