"""Proof files on the command line: what is read from them and said, and what is refused before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from aligned.cli.main import cli
from aligned.cli.proof_files import (
    Paths,
    key_bytes,
    read_files,
    read_proof,
    refusal_here,
    refusal_of_aggregation,
)
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import ProofError
from aligned.core.types import ProvingSystem, VerificationData
from tests.reference.groth16 import make

VECTORS = Path(__file__).parents[2] / "vectors"
CIRCOM, SP1, RISC0 = VECTORS / "circom", VECTORS / "sp1", VECTORS / "risc0"
NOBODY = bytes(20)


def inspect(*arguments: str) -> tuple[int, dict[str, object], str]:
    """Exit code, JSON, and what people see of `aligned proof inspect`."""
    result = CliRunner(mix_stderr=False).invoke(cli, ["proof", "inspect", *arguments, "--json"])
    return result.exit_code, json.loads(result.stdout) if result.stdout else {}, result.stderr


def circom(proof: Path, public: Path, key: Path) -> tuple[str, ...]:
    """Arguments."""
    files = (str(proof), "--public-input", str(public), "--vk", str(key))
    return (*files, "--system", "CircomGroth16Bn256")


def saved(folder: Path, name: str, content: bytes) -> Path:
    """A file with this content."""
    file = folder / name
    file.write_bytes(content)
    return file


def test_inspect__other_spelling_and_mark__valid_and_changes_are_said(tmp_path: Path) -> None:
    proof = json.loads((CIRCOM / "preimage_a.proof.json").read_bytes())
    del proof["protocol"]
    file = saved(tmp_path, "proof.json", b"\xef\xbb\xbf" + json.dumps(proof).encode())
    public, key = CIRCOM / "preimage_a.public.json", CIRCOM / "verification_key.json"
    code, found, shown = inspect(*circom(file, public, key))
    assert (code, found["code"]) == (0, "ok")
    assert "protocol is written as groth16" in shown
    assert "byte order mark" in shown
    code, found, _ = inspect(*circom(file, public, key), "--exact")
    assert (code, found["code"]) == (1, "malformed_proof")


def test_inspect__key_without_ceremony__warns_loudly(tmp_path: Path) -> None:
    names = ("proof.json", "public.json", "key.json")
    files = [
        saved(tmp_path, name, content) for name, content in zip(names, make([4], 7).as_bytes(), strict=True)
    ]
    code, found, shown = inspect(*circom(*files))
    assert (code, found["valid"]) == (0, True)
    assert [warning["code"] for warning in found["warnings"]] == ["key_without_ceremony"]  # type: ignore[attr-defined, index]
    assert "WARNING" in shown
    assert "ANYBODY" in shown
    names = ("preimage_a.proof.json", "preimage_a.public.json", "verification_key.json")
    assert inspect(*circom(*(CIRCOM / name for name in names)))[1]["warnings"] == []


@pytest.mark.parametrize("system", ["SP1", "Risc0"])
def test_inspect__public_input_in_the_proofs_file__is_taken_from_there(system: str) -> None:
    sp1 = (str(SP1 / "fib_a.compressed.proof"), "--vk", str(SP1 / "fib.vk"))
    risc0 = (str(RISC0 / "fib3_20_composite.receipt"), "--program", str(RISC0 / "fib3_20_composite.id"))
    arguments = (*(sp1 if system == "SP1" else risc0), "--system", system)
    code, found, shown = inspect(*arguments)
    assert (code, found["code"]) == (0, "ok")
    assert "taken from the proof's file" in shown
    assert found["pub_input_commitment"] != "0x" + "00" * 32
    assert inspect(*arguments, "--exact")[1]["pub_input_commitment"] == "0x" + "00" * 32


def test_inspect__inner_receipt__says_that_the_journal_is_missing() -> None:
    arguments = (str(RISC0 / "fib3_20_composite.proof"), "--program", str(RISC0 / "fib3_20_composite.id"))
    assert inspect(*arguments, "--system", "risc0")[1]["code"] == "missing_public_input"


@pytest.mark.parametrize("form", ["{}", "0x{}", "{}\n"])
def test_inspect__image_id_as_text__is_read_as_bytes(tmp_path: Path, form: str) -> None:
    text = form.format((RISC0 / "fib3_20_composite.id").read_bytes().hex())
    key = saved(tmp_path, "id.txt", text.encode())
    code, found, _ = inspect(
        str(RISC0 / "fib3_20_composite.receipt"), "--program", str(key), "--system", "Risc0"
    )
    assert (code, found["code"]) == (0, "ok")


def test_key_bytes__32_bytes_that_look_like_text__stay() -> None:
    assert key_bytes(b"ab" * 16) == b"ab" * 16
    assert key_bytes(b"ab" * 32) == b"\xab" * 32
    assert key_bytes(b"ab" * 31) == b"ab" * 31


@pytest.mark.parametrize("name", ["External64", "external200"])
def test_system__plug_in__is_taken(name: str, tmp_path: Path) -> None:
    file = saved(tmp_path, "p", b"x")
    result = CliRunner(mix_stderr=False).invoke(
        cli, ["proof", "inspect", str(file), "--system", name, "--no-verify", "--json"]
    )
    assert result.exit_code == 0
    assert json.loads(result.stdout)["system"].lower() == name.lower()


@pytest.mark.parametrize("name", ["External63", "External256", "sp2", ""])
def test_system__unknown__wrong_usage_that_names_those_there_are(name: str) -> None:
    result = CliRunner(mix_stderr=False).invoke(cli, ["proof", "inspect", str(__file__), "--system", name])
    assert result.exit_code == 2
    assert "SP1" in result.stderr
    assert "External64" in result.stderr


async def test_refusal_here__gnark__names_the_system_and_those_that_are_verified() -> None:
    data = VerificationData(ProvingSystem.GROTH16_BN254, b"x", None, b"k", None, NOBODY)
    refusal = await refusal_here(data)
    assert refusal is not None
    assert refusal.code == "unsupported_system"
    assert "Groth16Bn254" in refusal.message
    assert "Risc0" in refusal.message


async def test_refusal_here__broken_and_valid_proofs__as_the_batcher_would_say() -> None:
    paths = Paths(SP1 / "fib_a.compressed.proof", None, SP1 / "fib.vk", None)
    assert await refusal_here(read_proof(ProvingSystem.SP1, paths, NOBODY)) is None
    other = Paths(paths.proof, None, SP1 / "agg.vk", None)
    refusal = await refusal_here(read_proof(ProvingSystem.SP1, other, NOBODY))
    assert refusal is not None
    assert refusal.code == "key_mismatch"
    plug_in = VerificationData(ProvingSystem(200), b"x", None, None, None, NOBODY)
    assert await refusal_here(plug_in) is None  # not installed here: the batcher knows


async def test_read_files__public_input_from_the_file__and_its_absence_is_said() -> None:
    files = read_files(AggregationSystem.SP1, SP1 / "fib_a.compressed.proof", SP1 / "fib.vk", None)
    assert await refusal_of_aggregation(files) is None
    receipt, image = RISC0 / "fib3_20_composite", RISC0 / "fib3_20_composite.id"
    files = read_files(AggregationSystem.RISC0, receipt.with_suffix(".receipt"), image, None)
    assert await refusal_of_aggregation(files) is None
    with pytest.raises(ProofError, match="missing_public_input.*--public-input"):
        read_files(AggregationSystem.RISC0, receipt.with_suffix(".proof"), image, None)
    older = RISC0 / "zkverify" / "2.3.0_succinct_16.receipt"
    refusal = await refusal_of_aggregation(read_files(AggregationSystem.RISC0, older, image, None))
    assert refusal is not None
    assert (refusal.code, "RISC Zero 2.3" in refusal.message) == ("unsupported_version", True)


def test_submit__proof_that_cannot_pass__is_refused_without_a_batcher(tmp_path: Path) -> None:
    """No service runs: had it asked one, the code would be that of a connection."""
    old = saved(tmp_path, "old.proof", bytes(5_000) + (6).to_bytes(8, "little") + b"v3.0.0")
    result = CliRunner(mix_stderr=False).invoke(
        cli,
        [
            *("aggregation", "submit", "--system", "sp1", "--proof", str(old), "--key", str(SP1 / "fib.vk")),
            *("--devnet-account", "5", "--rpc-url", "http://127.0.0.1:9", "--json"),
        ],
    )
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "unsupported_version"
    assert "v3.0.0" in json.loads(result.stdout)["error"]["message"]
