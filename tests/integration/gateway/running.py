"""A gateway in this process over a real database, real verifiers and a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from aligned.chain.deployment import Deployment
from aligned.devnet.process import free_port
from aligned.gateway.service import Gateway, open_context
from aligned.settings import Settings
from aligned.storage.postgres import Database
from tests.integration.gateway.submitter import CHAIN_ID, PAYMENT_SERVICE, Proof, Submitter, post
from tests.integration.votes import eventually


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that listens."""

    url: str
    db: Database
    gateway: Gateway
    settings: Settings

    async def get(self, path: str, **options: Any) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            return await http.get(self.url + path, **options)

    async def submit(self, user: Submitter, proof: Proof, nonce: int, **changes: Any) -> httpx.Response:
        return await post(self.url, user.form(proof, nonce, **changes))

    async def quota(self, user: Submitter) -> int:
        return int((await self.get(f"/v1/accounts/{user.hex}/quota")).json()["remaining"])

    async def nonce(self, user: Submitter) -> int:
        return int((await self.get(f"/v1/accounts/{user.hex}/nonce")).json()["nonce"])

    def objects(self) -> list[str]:
        """Names of the stored proofs."""
        return sorted(path.name for path in Path(self.settings.store.url).iterdir())

    def spooled(self) -> list[Path]:
        """Uploads on disk."""
        parent = self.settings.gateway.spool_dir
        return [path for path in parent.glob("*/*") if path.name != "lock"]


def gateway_settings(database_url: str, folder: Path, **own: Any) -> Settings:
    """Settings of a gateway for one machine; its chain is nowhere."""
    contract = "0x" + "11" * 20
    deployment = Deployment(
        chain_id=CHAIN_ID,
        service_manager=contract,
        payment_service=contract,
        operator_registry=contract,
        stake_source=contract,
        access_manager=contract,
        aggregation_payment_service="0x" + PAYMENT_SERVICE.hex(),
        aggregation_service="0x" + "66" * 20,
        deployed_block=0,
    )
    file = folder / "deployment.json"
    deployment.save(file)
    defaults = {"port": free_port(), "verifier_workers": 2, "spool_dir": folder / "spool", "lease_s": 3.0}
    return Settings(
        chain={"rpc_urls": ("http://127.0.0.1:1",), "deployment_file": file},  # type: ignore[arg-type]
        database={"url": database_url},  # type: ignore[arg-type]
        store={"url": str(folder / "store")},  # type: ignore[arg-type]
        gateway=defaults | own,  # type: ignore[arg-type]
    )


@asynccontextmanager
async def running_gateway(settings: Settings, db: Database) -> AsyncIterator[Running]:
    """Starts a gateway and stops it at the end."""
    url = f"http://127.0.0.1:{settings.gateway.port}"
    async with open_context(settings) as context:
        gateway, stop = Gateway(context), asyncio.Event()
        task = asyncio.create_task(gateway.run(stop))
        running = Running(url, db, gateway, settings)
        try:
            await eventually(lambda: _is_up(running, task), lambda: "/healthz")
            yield running
        finally:
            stop.set()
            await task


async def _is_up(running: Running, task: asyncio.Task[None]) -> bool:
    if task.done():
        await task
    try:
        return (await running.get("/healthz")).status_code == 200
    except httpx.HTTPError:
        return False
