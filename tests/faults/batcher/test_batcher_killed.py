"""A batcher that is killed at the worst moments loses nothing that it acknowledged and posts nothing twice."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from aligned.chain.abi import contract_abi
from aligned.core.commitment import commit
from aligned.devnet.process import free_port
from tests.faults.processes import PROJECT, until, write_settings
from tests.integration.batcher.clients import ReferenceClient, User
from tests.integration.batcher.proofs import small
from tests.integration.rig import Rig, running_rig

# Anvil's first account: it deployed the contracts, so it is the batcher in office.
BATCHER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ETH = 10**18


@dataclass
class Bed:
    """A chain, settings and a user with a deposit."""

    rig: Rig
    settings: Path
    port: int
    user: User

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False)

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def state(self, salt: int) -> str | None:
        submissions = self.get(f"/v1/proofs/0x{commit(small(salt)).leaf.hex()}").json()["submissions"]
        return str(submissions[0]["state"]) if submissions else None

    def submitters_on_chain(self) -> int:
        """Proofs in all tasks, by the events of the payment contract."""
        event = contract_abi("BatcherPaymentService").events["TaskCreated"]
        wanted = {
            "fromBlock": "0x0",
            "address": self.rig.deployment.payment_service,
            "topics": ["0x" + event.topic.hex()],
        }
        logs = self.rig.web3.eth.get_logs(wanted)  # type: ignore[arg-type]
        return sum(
            event.decode([bytes(t) for t in log["topics"]], bytes(log["data"]))["amountOfProofs"]
            for log in logs
        )


@pytest.fixture
def bed(tmp_path: Path, postgres: str) -> Iterator[Bed]:
    with running_rig(tmp_path, operators=2) as rig:
        port = free_port()
        own = {"port": port, "devnet_private_key": BATCHER_KEY, "verifier_workers": 1}
        store = {"url": str(tmp_path / "store"), "public_base_url": "http://127.0.0.1:1"}
        settings = write_settings(rig.settings(postgres, batcher=own, store=store), tmp_path / "batcher.json")
        payer = rig.node.new_account()
        rig.sender(payer).transact(rig.deployment.payment_service, b"", ETH)
        user = User(int.from_bytes(payer.key, "big"), bytes.fromhex(rig.deployment.payment_service[2:]))
        yield Bed(rig, settings, port, user)


@contextmanager
def batcher(bed: Bed, moment: str = "never") -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.faults.batcher.process", str(bed.settings), moment]
    with bed.settings.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT)
    try:
        until(bed.is_ready, f"batcher up, see {bed.settings.with_suffix('.log')}")
        yield process
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def mining(bed: Bed) -> AsyncIterator[None]:
    """Blocks keep coming."""

    async def mine() -> None:
        while True:
            await asyncio.to_thread(bed.rig.node.mine)
            await asyncio.sleep(0.2)

    task = asyncio.create_task(mine())
    try:
        yield
    finally:
        task.cancel()


async def is_posted(bed: Bed, salts: range) -> None:
    async with mining(bed):
        await asyncio.to_thread(
            until, lambda: all(bed.state(salt) == "posted" for salt in salts), "all posted"
        )


@pytest.mark.parametrize(
    "moment", ["uploading", "uploaded", "simulated", "journaled", "broadcast", "mined", "settled"]
)
async def test_batcher__killed_on_the_way_to_the_chain__posts_each_proof_once(bed: Bed, moment: str) -> None:
    proofs = [small(salt) for salt in range(3)]
    with batcher(bed, moment) as process:
        async with ReferenceClient(bed.url) as client:
            with suppress(ConnectionClosed):  # it may die before it has taken all of them
                await client.submit(bed.user, proofs, 0)
            async with mining(bed):
                assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
    with batcher(bed):
        async with ReferenceClient(bed.url) as client:
            await client.submit(bed.user, proofs, 0)
            await is_posted(bed, range(3))
            assert len(await client.inclusions(proofs)) == 3
    assert bed.submitters_on_chain() == 3


async def test_batcher__killed_after_each_acknowledgement__has_every_proof(bed: Bed) -> None:
    for nonce in range(3):
        with batcher(bed) as process:
            async with ReferenceClient(bed.url) as client:
                await client.submit(bed.user, [small(nonce)], nonce)
                process.kill()
                process.wait()
    with batcher(bed):
        assert None not in [bed.state(nonce) for nonce in range(3)]
        await is_posted(bed, range(3))
    assert bed.submitters_on_chain() == 3
