"""Health and metrics of an operator, over a real socket."""

from __future__ import annotations

import httpx

from aligned.devnet.process import free_port
from tests.integration.operator.harness import StubAggregator, StubVerifier, running_operator
from tests.integration.rig import Rig
from tests.integration.votes import eventually


async def test_operator__running__answers_health_and_metrics(rig: Rig, postgres: str) -> None:
    operator, port = rig.operators[0], free_port()
    settings = rig.operator_settings(operator, postgres, port=port)
    async with (
        running_operator(rig, operator, settings, StubVerifier(), StubAggregator().transport()),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):

        async def is_up() -> bool:
            try:
                return (await http.get("/healthz")).status_code == 200
            except httpx.HTTPError:
                return False

        await eventually(is_up, lambda: "/healthz")
        ready = (await http.get("/readyz")).json()
        assert (ready["status"], ready["registered"]) == ("ready", True)
        assert "aligned_operator_build_info" in (await http.get("/metrics")).text
