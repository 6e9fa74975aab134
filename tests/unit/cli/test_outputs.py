"""The file of a result is written whatever becomes of stdout, and its place is looked at before anything is paid."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from aligned.cli.output import write_whole
from aligned.cli.outputs import OutputFile

PRINTS = """
import asyncio, click, sys
from pathlib import Path
from aligned.cli.output import Result, command
@command
async def some() -> Result:
    return Result({{"paid": 1, "name": {name!r}}}, files={{Path({place!r}): "new"}})
click.command()(some)()
"""


def printed_to(stdout: str, place: Path, *arguments: str, name: str = "x") -> tuple[int, str]:
    """Exit code and stderr of a command in a process of its own; stdout is a file, or "" that nobody reads."""
    script = PRINTS.format(name=name, place=str(place))
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") if not stdout else Path(stdout).open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            check=False,
        )
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=str)
@pytest.mark.parametrize("stdout", ["", "/dev/full"])
def test_result__stdout_takes_nothing__file_is_written_all_the_same_and_exit_code_1(
    stdout: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    code, said = printed_to(stdout, tmp_path / "x.json", *arguments)
    assert (code, (tmp_path / "x.json").read_text()) == (1, "new")
    assert said.count("\n") == 1, said
    assert "the result was not printed" in said


def test_result__name_of_a_file_is_no_text__printed_and_written(tmp_path: Path) -> None:
    code, said = printed_to(str(tmp_path / "out"), tmp_path / "x.json", name=os.fsdecode(b"b\xff.proof"))
    assert (code, said) == (0, "")
    assert "b\\udcff.proof" in (tmp_path / "out").read_text()
    assert (tmp_path / "x.json").read_text() == "new"


def test_write_whole__link__stays_one(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "target.json")
    write_whole(tmp_path / "link.json", "new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "target.json").read_text() == "new"


@pytest.mark.parametrize("closed", ["", "x.json"], ids=["folder", "file"])
def test_output__file_or_its_folder_is_closed__refused_as_it_is_read(
    closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is replaced by a new one of its folder: both must be writable."""
    (tmp_path / "x.json").write_text("old")
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != tmp_path / closed)
    with pytest.raises(click.BadParameter, match="may not be written to"):
        OutputFile().convert(str(tmp_path / "x.json"), None, None)
