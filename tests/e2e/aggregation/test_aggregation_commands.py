"""The commands of aggregation mode as a user types them: JSON on stdout, exit codes, files."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aligned.devnet.cases import VECTORS
from aligned.devnet.cluster import Cluster
from aligned.sdk.accounts import devnet_account
from tests.e2e.aggregation.conftest import WAIT_S

pytestmark = pytest.mark.asyncio(loop_scope="session")
USER = 7
ADDRESS = devnet_account(USER).address
PROOF = VECTORS / "risc0" / "fib3_30_composite"
FILES = (
    "--system",
    "risc0",
    "--proof",
    f"{PROOF}.proof",
    "--key",
    f"{PROOF}.id",
    "--public-input",
    f"{PROOF}.pub",
)


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def run(cluster: Cluster, *arguments: str, gateway_url: str | None = None) -> Finished:
    """`aligned aggregation …` against the devnet."""
    network = cluster.aggregation
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aligned.cli.main", "aggregation", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": str(Path(sys.executable).parent),
            "ALIGNED_RPC_URL": network.rpc_urls[0],
            "ALIGNED_GATEWAY_URL": gateway_url or network.gateway_url,
            "ALIGNED_BEACON_URLS": network.beacon_urls[0],
        },
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Finished(process.returncode, out.decode(), err.decode())


async def test_user__deposit_to_inclusion__all_in_json(cluster: Cluster, tmp_path: Path) -> None:
    signer = ("--devnet-account", str(USER), "--json")
    nobody = await run(cluster, "quota", "0x" + "11" * 20, "--json")
    assert (nobody.code, nobody.json["remaining"]) == (1, 0)
    deposited = await run(cluster, "deposit", *signer)
    assert deposited.code == 0, deposited.err
    for _ in range(50):
        quota = await run(cluster, "quota", ADDRESS, "--json")
        if quota.code == 0:
            break
    assert quota.json["remaining"] == deposited.json["proofs"]
    file = tmp_path / "receipt.json"
    waiting = ("--wait", "final", "--timeout", str(WAIT_S), "--output", str(file))
    submitted = await run(cluster, "submit", *FILES, *waiting, *signer)
    assert submitted.code == 0, submitted.out + submitted.err
    receipt = submitted.json
    assert receipt["state"] == "final"
    assert json.loads(file.read_text()) == receipt
    await check_inclusion(cluster, file, receipt)
    await check_views(cluster, receipt, tmp_path)


async def check_inclusion(cluster: Cluster, file: Path, receipt: dict[str, Any]) -> None:
    """On chain, offline, and not when anything was changed."""
    inputs = ("--public-input", f"{PROOF}.pub", "--json")
    checked = await run(cluster, "verify-inclusion", str(file), *inputs)
    assert (checked.code, checked.json["on_chain"]) == (0, True)
    offline = await run(
        cluster, "verify-inclusion", str(file), "--offline", "--json", gateway_url="http://127.0.0.1:9"
    )
    assert (offline.code, offline.json["path_holds"], offline.json["on_chain"]) == (0, True, "not asked")
    wrong = await run(cluster, "verify-inclusion", str(file), "--public-input", f"{PROOF}.id", "--json")
    assert (wrong.code, wrong.json["error"]["code"]) == (1, "invalid_proof")
    forged = receipt | {
        "aggregation": receipt["aggregation"] | {"leaf_index": receipt["aggregation"]["leaf_count"]}
    }
    file.write_text(json.dumps(forged))
    refused = await run(cluster, "verify-inclusion", str(file), "--offline", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (1, "invalid_proof")


async def check_views(cluster: Cluster, receipt: dict[str, Any], tmp_path: Path) -> None:
    """status, receipts, nonce, list, show, leaves: all about the same proof."""
    status = await run(cluster, "status", receipt["id"], "--watch", "--json")
    assert (status.code, status.json["state"]) == (0, "final")
    assert "final" in status.err
    listing = await run(cluster, "receipts", ADDRESS, "--state", "final", "--json")
    assert receipt["id"] in [each["id"] for each in listing.json["receipts"]]
    nonce = await run(cluster, "nonce", ADDRESS, "--json")
    assert nonce.json["nonce"] == receipt["nonce"] + 1
    root = receipt["aggregation"]["root"]
    roots = await run(cluster, "list", "--system", "risc0", "--json")
    assert root in [each["root"] for each in roots.json["aggregations"]]
    shown = await run(cluster, "show", root, "--json")
    assert (shown.code, shown.json["agrees"], shown.json["on_chain"]["revoked"]) == (0, True, False)
    leaves = await run(cluster, "leaves", root, "--output", str(tmp_path / "leaves.bin"), "--json")
    assert leaves.json["source"].startswith("beacon"), leaves.json["refused"]
    assert leaves.json["commitments"][receipt["aggregation"]["leaf_index"]] == receipt["commitment"]
    assert len((tmp_path / "leaves.bin").read_bytes()) == 32 * receipt["aggregation"]["leaf_count"]


async def test_refusals__no_quota_unknown_id_unknown_root__code_1_and_the_reason(cluster: Cluster) -> None:
    unpaid = await run(cluster, "submit", *FILES, "--devnet-account", "98", "--json")
    assert (unpaid.code, unpaid.json["error"]["code"]) == (1, "payment_required")
    unknown = await run(cluster, "status", "6f1c1f4e-7f5c-4b8e-9d8b-0a3c5f1e2d11", "--json")
    assert (unknown.code, unknown.json["error"]["code"]) == (1, "unknown_proof")
    nowhere = await run(cluster, "leaves", "0x" + "11" * 32, "--json")
    assert (nowhere.code, nowhere.json["error"]["code"]) == (1, "unknown_root")


async def test_exit_codes__usage_and_dependency__2_and_3(cluster: Cluster) -> None:
    assert (await run(cluster, "submit", *FILES)).code == 2
    assert (await run(cluster, "status", "no-id")).code == 2
    silent = await run(cluster, "nonce", ADDRESS, "--json", gateway_url="http://127.0.0.1:9")
    assert (silent.code, silent.json["error"]["code"]) == (3, "gateway_unavailable")
