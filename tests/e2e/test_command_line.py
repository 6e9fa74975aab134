"""The command line as a user runs it: JSON on stdout, exit codes, files."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aligned.devnet.cases import VECTORS
from aligned.devnet.cluster import Cluster
from aligned.sdk.accounts import devnet_account

pytestmark = pytest.mark.asyncio(loop_scope="session")
USER = 8
CIRCOM = VECTORS / "circom"


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """Runs `aligned` against the devnet."""

    cluster: Cluster

    async def __call__(
        self, *arguments: str, rpc_url: str | None = None, batcher_url: str | None = None
    ) -> Finished:
        network = self.cluster.network
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "aligned.cli.main",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": str(Path(sys.executable).parent),
                "ALIGNED_RPC_URL": rpc_url or network.rpc_urls[0],
                "ALIGNED_BATCHER_URL": batcher_url or network.batcher_url,
            },
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Finished(process.returncode, out.decode(), err.decode())


@pytest_asyncio.fixture(loop_scope="session")
async def aligned(cluster: Cluster) -> Shell:
    return Shell(cluster)


def circom_options(name: str = "preimage_b") -> list[str]:
    return [
        *("--system", "CircomGroth16Bn256", "--proof", str(CIRCOM / f"{name}.proof.json")),
        *(
            "--public-input",
            str(CIRCOM / f"{name}.public.json"),
            "--vk",
            str(CIRCOM / "verification_key.json"),
        ),
    ]


async def test_user__deposit_to_verified__all_in_json(aligned: Shell, tmp_path: Path) -> None:
    signer = ("--devnet-account", str(USER))
    deposited = await aligned("deposit", "0.5ether", *signer, "--json")
    assert deposited.code == 0, deposited.err
    assert int(deposited.json["balance_wei"]) >= 5 * 10**17
    fee = await aligned("estimate-fee", "--batch-size", "4", "--json")
    assert int(fee.json["fee_per_proof_wei"]) > 0
    file = tmp_path / "verified.json"
    submitted = await aligned(
        "submit",
        *circom_options(),
        "--wait",
        "verified",
        "--timeout",
        "90",
        "--output",
        str(file),
        *signer,
        "--json",
    )
    assert submitted.code == 0, submitted.out + submitted.err
    proof = submitted.json["proofs"][0]
    assert proof["state"] == "verified"
    assert json.loads(file.read_text()) == proof["verification_data"]
    checked = await aligned("verify-onchain", str(file), "--json")
    assert (checked.code, checked.json["verified"]) == (0, True)
    waited = await aligned("wait", proof["leaf"], "--timeout", "30", "--json")
    assert waited.json["merkle_path"] == proof["verification_data"]["merkle_path"]
    status = await aligned("status", proof["leaf"], "--json")
    assert status.json["submissions"][0]["state"] in ("posted", "verified")
    nonce = await aligned("nonce", proof["receipt"]["sender"], "--json")
    assert nonce.json["nonce"] == proof["receipt"]["nonce"] + 1
    balance = await aligned("balance", proof["receipt"]["sender"], "--json")
    assert int(balance.json["balance_wei"]) < 5 * 10**17
    forged = json.loads(file.read_text()) | {"proof_commitment": "0x" + "11" * 32}
    file.write_text(json.dumps(forged))
    refused = await aligned("verify-onchain", str(file), "--json")
    assert (refused.code, refused.json["verified"]) == (1, False)


async def test_submit__wrong_public_input__exit_code_1_and_the_reason_in_json(aligned: Shell) -> None:
    await aligned("deposit", "0.1ether", "--devnet-account", str(USER))
    options = circom_options()
    options[options.index("--public-input") + 1] = str(CIRCOM / "preimage_a.public.json")
    refused = await aligned("submit", *options, "--devnet-account", str(USER), "--json")
    assert refused.code == 1
    assert refused.json["proofs"][0]["error"]["code"] == "invalid_proof"


async def test_submit__two_proofs_of_one_circuit__each_with_its_input_and_a_file_for_each(
    aligned: Shell, tmp_path: Path
) -> None:
    await aligned("deposit", "0.1ether", "--devnet-account", str(USER))
    names, results = ("preimage_a", "preimage_b"), tmp_path / "results"
    files = [
        option
        for name in names
        for option in (
            *("--proof", str(CIRCOM / f"{name}.proof.json")),
            *("--public-input", str(CIRCOM / f"{name}.public.json")),
        )
    ]
    submitted = await aligned(
        *("submit", "--system", "CircomGroth16Bn256", *files, "--vk", str(CIRCOM / "verification_key.json")),
        *("--wait", "verified", "--timeout", "90", "--output-dir", str(results)),
        *("--devnet-account", str(USER), "--json"),
    )
    assert submitted.code == 0, submitted.out + submitted.err
    rows = submitted.json["proofs"]
    assert [Path(row["proof"]).name for row in rows] == [f"{name}.proof.json" for name in names]
    assert [row["file"] for row in rows] == [str(results / f"{name}.json") for name in names]
    for row in rows:
        assert json.loads(Path(row["file"]).read_text()) == row["verification_data"]
        assert f"aligned wait {row['leaf']}" in submitted.err
        checked = await aligned("verify-onchain", row["file"], "--json")
        assert (checked.code, checked.json["verified"]) == (0, True)


async def test_submit__five_repetitions_into_a_folder__five_files(aligned: Shell, tmp_path: Path) -> None:
    await aligned("deposit", "0.1ether", "--devnet-account", str(USER))
    submitted = await aligned(
        *("submit", *circom_options("preimage_a"), "--repetitions", "5", "--output-dir", str(tmp_path)),
        *("--wait", "posted", "--timeout", "90", "--devnet-account", str(USER), "--json"),
    )
    assert submitted.code == 0, submitted.out + submitted.err
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        f"preimage_a-{index}.json" for index in range(5)
    ]


async def test_fee_cap__raised_at_once_lowered_only_with_notice__shown_in_the_balance(aligned: Shell) -> None:
    signer = ("--devnet-account", str(USER), "--json")
    await aligned("deposit", "0.01ether", "--devnet-account", str(USER))
    raised = await aligned("fee-cap", "0.05ether", *signer)
    assert raised.code == 0, raised.out + raised.err
    refused = await aligned("fee-cap", "0wei", *signer)
    assert refused.code == 1
    assert "CapLocked(" in refused.out
    address = devnet_account(USER).address
    balance = await aligned("balance", address, "--json")
    assert int(balance.json["fee_cap_wei"]) == 5 * 10**16


async def test_batch_post__proof_files_without_a_batcher__verified(
    aligned: Shell, cluster: Cluster, tmp_path: Path
) -> None:
    folder = tmp_path / "proofs"
    folder.mkdir()
    for name in ("fib3_20_composite", "groth16_v3"):
        for suffix in ("proof", "pub", "id"):
            (folder / f"{name}.{suffix}").write_bytes((VECTORS / "risc0" / f"{name}.{suffix}").read_bytes())
    posted = await aligned(
        *("batch", "post", *map(str, sorted(folder.glob("*.proof"))), "--system", "Risc0"),
        *("--store", str(cluster.layout.store), "--public-url", cluster.store_url),
        *("--wait", "verified", "--timeout", "90", "--devnet-account", str(USER), "--json"),
        batcher_url="ws://127.0.0.1:9",
    )
    assert posted.code == 0, posted.out + posted.err
    assert posted.json["verified"] is True
    assert len(posted.json["proofs"]) == 2
    again = await aligned(
        *("batch", "post", *map(str, sorted(folder.glob("*.proof"))), "--system", "Risc0"),
        *("--store", str(cluster.layout.store), "--public-url", cluster.store_url),
        *("--devnet-account", str(USER), "--json"),
    )
    assert again.code == 1
    assert "BatchAlreadySubmitted" in again.json["error"]["message"]


async def test_exit_codes__usage_and_dependency__2_and_3(aligned: Shell) -> None:
    unsigned = await aligned("deposit", "1ether")
    assert unsigned.code == 2
    no_chain = await aligned("balance", "0x" + "11" * 20, "--json", rpc_url="http://127.0.0.1:9")
    assert no_chain.code == 3
    assert no_chain.json["error"]["code"] == "chain_unavailable"
    no_batcher = await aligned("nonce", "0x" + "11" * 20, "--json", batcher_url="ws://127.0.0.1:9")
    assert no_batcher.code == 3
    assert no_batcher.json["error"]["code"] == "batcher_unavailable"


async def test_operator_status__registered_one__says_so(aligned: Shell, cluster: Cluster) -> None:
    found = await aligned(
        "operator", "status", "--config", str(cluster.layout.settings("operator-3")), "--json"
    )
    assert found.code == 0, found.err
    assert found.json["registered"] is True
    assert found.json["operators"] == 4


async def test_inspect__real_proof__says_what_a_batch_commits_to(aligned: Shell) -> None:
    file = str(VECTORS / "risc0" / "groth16_v3.proof")
    program, journal = str(VECTORS / "risc0" / "groth16_v3.id"), str(VECTORS / "risc0" / "groth16_v3.pub")
    found = await aligned(
        "proof",
        "inspect",
        file,
        "--system",
        "risc0",
        "--program",
        program,
        "--public-input",
        journal,
        "--json",
    )
    assert found.code == 0, found.err
    assert found.json["code"] == "ok"
    other = await aligned(
        "proof",
        "inspect",
        file,
        "--system",
        "risc0",
        "--program",
        program,
        "--public-input",
        program,
        "--json",
    )
    assert (other.code, other.json["code"]) == (1, "public_input_mismatch")
