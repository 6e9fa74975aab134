"""Each role as it is started in production: its loops run, its pages speak for them, its vital metrics have values."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from aligned.batcher import service as batcher
from aligned.bls_aggregator import service as aggregator
from aligned.core.errors import DependencyError
from aligned.devnet.process import free_port
from aligned.gateway import service as gateway
from aligned.operator import service as operator
from aligned.payments_poller import service as payments_poller
from aligned.proof_aggregator import service as proof_aggregator
from aligned.settings import Settings
from aligned.watchdog import LOOP_STUCK, Watchdog
from tests.integration.rig import Rig, running_rig
from tests.integration.votes import eventually

# Anvil's first account: it deployed the contracts, so it is the batcher in office.
BATCHER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
VITAL = ("head_block", "head_age_seconds", "rpc_usable", "rpc_requests_total", "database_connections")
FOLLOWING = ("cursor_lag_blocks",)
SENDING = ("balance_wei", "tx_pending")


@dataclass(frozen=True, slots=True)
class Role:
    """How a role is started, and what it has beside the loops and metrics of all."""

    service: ModuleType
    name: str
    loops: frozenset[str]
    metrics: tuple[str, ...] = ()

    def settings(self, rig: Rig, url: str, port: int, folder: Path) -> Settings:
        """Of this role alone, on the rig's chain."""
        own: dict[str, Any] = {"port": port, "devnet_private_key": rig.node.new_account().key.hex()}
        match self.name:
            case "operator":
                return rig.operator_settings(rig.operators[0], url, port=port)
            case "aggregator":
                return rig.aggregator_settings(rig.node.new_account(), url, port=port)
            case "payments_poller":
                return rig.settings(url, poller={"port": port})
            case "batcher":
                own = {"port": 0, "metrics_port": port, "devnet_private_key": BATCHER_KEY}
                own |= {"verifier_workers": 1}
            case "gateway":
                own = {"port": port, "spool_dir": folder / "spool", "verifier_workers": 1}
            case "proof_aggregator":
                own |= {"result_dir": folder / "results", "sp1_level": "native", "risc0_level": "native"}
        store = {"url": str(folder / "store"), "public_base_url": "http://127.0.0.1:1"}
        return rig.settings(url, store=store, **{self.name: own})


ROLES = (
    Role(
        batcher, "batcher", frozenset({"market", "post", "follow", "settle", "reconcile", "office"}), SENDING
    ),
    Role(operator, "operator", frozenset({"operator", "process", "report", "expire"}), FOLLOWING),
    Role(aggregator, "aggregator", frozenset({"bls_aggregator", "collect"}), FOLLOWING + SENDING),
    Role(payments_poller, "payments_poller", frozenset({"payments", "gauges"}), FOLLOWING),
    Role(gateway, "gateway", frozenset({"kept_objects", "gauges", "readiness"})),
    Role(
        proof_aggregator,
        "proof_aggregator",
        frozenset({"plan", "chunks", "final_proofs", "publish", "follow", "clean", "gauges"}),
        FOLLOWING + SENDING,
    ),
)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running_rig(tmp_path_factory.mktemp("roles"), operators=1) as chain:
        yield chain


@pytest.mark.parametrize("role", ROLES, ids=lambda role: str(role.name))
async def test_role__as_started__its_loops_are_watched_and_its_vital_metrics_have_values(
    rig: Rig, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: Role
) -> None:
    monkeypatch.setattr(role.service, "VITALS_POLL_S", 0.2)
    wanted = role.loops | {"vitals", "retention"}
    names = (*VITAL, *role.metrics)
    port = free_port()
    async with _running(role, role.settings(rig, postgres, port, tmp_path), port) as http:
        text = ""

        async def shown() -> bool:
            nonlocal text
            text = (await http.get("/metrics")).text
            return wanted <= _loops(role, text) and all(_has(role, text, name) for name in names)

        await eventually(
            shown,
            lambda: (
                f"loops {wanted - _loops(role, text)}, metrics"
                f" {[name for name in names if not _has(role, text, name)]}"
            ),
        )
        assert re.search(rf'^aligned_{role.name}_loop_stuck{{loop="vitals"}} 0.0$', text, re.MULTILINE)
        monkeypatch.setattr(Watchdog, "check", _stuck)
        answer = await http.get("/healthz")
        assert (answer.status_code, answer.json()["code"]) == (503, LOOP_STUCK)
        assert wanted <= set(answer.json()["detail"].split())


def _stuck(watchdog: Watchdog) -> None:
    raise DependencyError(LOOP_STUCK, " ".join(each.name for each in watchdog.status()))


def _loops(role: Role, text: str) -> set[str]:
    return set(re.findall(rf'^aligned_{role.name}_loop_age_seconds{{loop="(\w+)"}}', text, re.MULTILINE))


def _has(role: Role, text: str, name: str) -> bool:
    """A sample, which a metric with labels has only when somebody set it, and which is not as at the start."""
    found = re.findall(rf"^aligned_{role.name}_{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    may_be_none = name in {"cursor_lag_blocks", "tx_pending", "head_age_seconds"}
    return bool(found) and (may_be_none or any(float(value) > 0 for value in found))


@asynccontextmanager
async def _running(role: Role, settings: Settings, port: int) -> AsyncIterator[httpx.AsyncClient]:
    stop = asyncio.Event()
    running = asyncio.create_task(role.service.run(settings, stop))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as http:

        async def is_up() -> bool:
            if running.done():
                running.result()
            try:
                return (await http.get("/healthz")).status_code == 200
            except httpx.HTTPError:
                return False

        try:
            await eventually(is_up, lambda: "/healthz")
            yield http
        finally:
            stop.set()
            await running
