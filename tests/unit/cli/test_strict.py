"""Nothing on the command line is dropped in silence: repeated options, several proofs, results that have no place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from aligned.cli.main import cli
from aligned.cli.output import Result, can_go_on, command, write_whole
from aligned.cli.proof_sets import paired, result_names
from aligned.cli.strict import StrictCommand, StrictGroup
from tests.unit.cli.test_command_line import ALL, run

CIRCOM = Path(__file__).parents[2] / "vectors" / "circom"
PROOF = str(CIRCOM / "preimage_a.proof.json")
INPUT = str(CIRCOM / "preimage_a.public.json")
KEY = str(CIRCOM / "verification_key.json")
SUBMIT = ("submit", "--system", "CircomGroth16Bn256", "--devnet-account", "5")
NOWHERE = ("--rpc-url", "http://127.0.0.1:1", "--batcher-url", "ws://127.0.0.1:1")


@pytest.mark.parametrize("path", sorted(ALL), ids=" ".join)
def test_every_command__is_strict(path: tuple[str, ...]) -> None:
    assert isinstance(ALL[path], StrictCommand)


@pytest.mark.parametrize("path", sorted(ALL), ids=" ".join)
def test_every_option_that_takes_one_value__given_twice__refused(path: tuple[str, ...]) -> None:
    single = [
        param
        for param in ALL[path].params
        if isinstance(param, click.Option) and not param.multiple and not param.is_flag
    ]
    for param in single:
        option = param.opts[0]
        code, text = run(*path, option, "1", option, "2")
        assert (code, f"{option} is given 2 times" in text) == (2, True), (option, text)


def test_flag__given_twice__refused() -> None:
    code, text = run("config", "check", "--json", "--json")
    assert code == 2
    assert "--json is given 2 times" in text


def test_option_that_may_be_repeated__given_twice__taken() -> None:
    code, text = run("devnet", "--off", "7", "--off", "9", "--operators", "4")
    assert code == 2
    assert "--off 7: operators are 0 to 3" in text


def test_amount__negative__said_so() -> None:
    code, text = run("deposit", "-1ether", "--devnet-account", "5")
    assert code == 2
    assert "must not be negative" in text


def test_amount__without_a_unit__asked_for_one() -> None:
    code, text = run("deposit", "1000", "--devnet-account", "5")
    assert code == 2
    assert "1000ether, 1000gwei or 1000wei" in text


@pytest.mark.parametrize(
    ("name", "meant"), [("subimt", "submit"), ("withdaw", "withdraw"), ("devne", "devnet")]
)
def test_command__misspelt__the_right_one_is_named(name: str, meant: str) -> None:
    code, text = run(name)
    assert code == 2
    assert f"Did you mean {meant}" in text


def test_command__like_none__help_is_named() -> None:
    assert "--help" in run("qqqqqq")[1]


def files(count: int) -> list[Path]:
    return [Path(f"f{number}") for number in range(count)]


def test_paired__one_for_each__in_order() -> None:
    assert paired("--vk", files(3), 3, is_shared=True) == files(3)


def test_paired__none__none_for_each() -> None:
    assert paired("--vk", [], 2, is_shared=True) == [None, None]


def test_paired__one_key_for_three_proofs__shared() -> None:
    assert paired("--vk", files(1), 3, is_shared=True) == files(1) * 3


@pytest.mark.parametrize(
    ("given", "proofs", "is_shared"), [(1, 2, False), (2, 3, True), (3, 2, True), (2, 1, False)]
)
def test_paired__another_number__wrong_usage(given: int, proofs: int, is_shared: bool) -> None:
    with pytest.raises(click.UsageError, match=f"given {given} times for {proofs} times --proof"):
        paired("--x", files(given), proofs, is_shared=is_shared)


def test_submit__two_proofs_with_one_public_input__wrong_usage() -> None:
    code, text = run(
        *SUBMIT, "--proof", PROOF, "--proof", PROOF, "--vk", KEY, "--public-input", INPUT, *NOWHERE
    )
    assert code == 2
    assert "--public-input is given 1 times for 2 times --proof" in text


@pytest.mark.parametrize(
    ("names", "results"),
    [
        (["a.proof", "b.proof"], ["a.json", "b.json"]),
        (["x/a.proof.json", "y/a.proof.json"], ["a-0.json", "a-1.json"]),
        (["a.proof"] * 3, ["a-0.json", "a-1.json", "a-2.json"]),
        ([".hidden"], [".hidden.json"]),
        (["a.proof", "d/a.proof", "a-1.proof"], ["a-0.json", "a-1-1.json", "a-1.json"]),
        (["a.x", "a.y", "a-1.x", "a-1.y"], ["a-0.json", "a-1.json", "a-1-2.json", "a-1-3.json"]),
    ],
)
def test_result_names__same_names__numbered(names: list[str], results: list[str]) -> None:
    assert result_names([Path(name) for name in names]) == results


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--output", "out.json"), "give --wait as well"),
        (("--wait", "posted", "--output", "out.json", "--repetitions", "5"), "use --output-dir"),
        (("--wait", "posted", "--output", "out.json", "--output-dir", "."), "not both"),
        (("--wait", "posted", "--output", "nodir/x.json"), "no folder 'nodir'"),
        (("--wait", "posted", "--output", "."), "is a directory"),
    ],
)
def test_submit__result_has_no_place__refused_before_anything_is_sent(
    options: tuple[str, ...], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit test has no network: an attempt to send would fail otherwise than with wrong usage."""
    monkeypatch.chdir(tmp_path)
    code, said = run(*SUBMIT, "--proof", PROOF, "--vk", KEY, "--public-input", INPUT, *options, *NOWHERE)
    assert code == 2, said
    assert text in said


def every_output() -> list[tuple[tuple[str, ...], str]]:
    return [
        (path, option.opts[0])
        for path, found in sorted(ALL.items())
        for option in found.params
        if isinstance(option, click.Option) and option.opts[0] == "--output" and path != ("prover",)
    ]


@pytest.mark.parametrize(("path", "option"), every_output(), ids=str)
def test_every_output_option__folder_is_not_there__refused_as_it_is_read(
    path: tuple[str, ...], option: str, tmp_path: Path
) -> None:
    param = next(each for each in ALL[path].params if each.opts[0] == option)
    with pytest.raises(click.BadParameter, match="there is no folder"):
        param.type.convert(str(tmp_path / "nodir" / "x.json"), param, None)


def invoke(result: Result, *arguments: str) -> Any:
    @click.command(cls=StrictCommand)
    @command
    async def some() -> Result:
        return result

    return CliRunner(mix_stderr=False).invoke(some, list(arguments))


def test_result__file_cannot_be_written__printed_all_the_same_and_exit_code_1(tmp_path: Path) -> None:
    done = invoke(Result({"paid": 1}, files={tmp_path / "gone" / "x.json": "the content"}), "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"paid": 1}
    assert "was not written" in done.stderr
    assert "the content" in done.stderr


def test_result__files__written_whole_and_nothing_else_left(tmp_path: Path) -> None:
    place = tmp_path / "x.json"
    place.write_text("old and longer")
    assert invoke(Result({}, files={place: "new", tmp_path / "leaves.bin": b"\x00\xff"})).exit_code == 0
    assert place.read_text() == "new"
    assert (tmp_path / "leaves.bin").read_bytes() == b"\x00\xff"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["leaves.bin", "x.json"]


def test_write_whole__disk_is_full__old_content_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "x.json"
    place.write_text("old")

    def full(self: Path, _content: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(place, "new")
    assert [each.name for each in tmp_path.iterdir()] == ["x.json"]
    assert place.read_text() == "old"


def test_interrupted__after_an_id_is_known__says_how_to_go_on_and_exits_with_130() -> None:
    @click.command(cls=StrictCommand)
    @command
    async def some() -> Result:
        can_go_on("accepted, id 7", "aligned aggregation status 7")
        raise KeyboardInterrupt

    done = CliRunner(mix_stderr=False).invoke(some, [])
    assert done.exit_code == 130
    assert "accepted, id 7" in done.stderr
    assert done.stderr.endswith("interrupted\n  go on with: aligned aggregation status 7\n")


def test_output__not_on_a_terminal__long_values_in_one_line() -> None:
    long = "0x" + "ab" * 200
    assert long in invoke(Result({"hash": long})).stdout


def test_wrong_result_file__of_the_other_mode__the_right_command_is_named(tmp_path: Path) -> None:
    fast, receipt, neither = (tmp_path / name for name in ("fast.json", "receipt.json", "text"))
    fast.write_text(json.dumps({"batch_root": "0x", "merkle_path": "0x"}))
    receipt.write_text(json.dumps({"history": [], "commitment": "0x"}))
    neither.write_bytes(b"\xff\xfe")
    code, text = run("verify-onchain", str(receipt))
    assert (code, "`aligned aggregation verify-inclusion` reads it" in text) == (1, True), text
    code, text = run("aggregation", "verify-inclusion", str(fast), "--offline")
    assert (code, "`aligned verify-onchain` reads it" in text) == (1, True), text
    assert run("verify-onchain", str(neither))[0] == 1
    assert "this is no JSON" in run("aggregation", "verify-inclusion", str(neither), "--offline")[1]


def test_main_group__is_strict() -> None:
    assert isinstance(cli, StrictGroup)
