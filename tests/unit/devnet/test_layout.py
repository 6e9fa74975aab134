"""Folders of a devnet, and what must not be deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from aligned.core.errors import ProtocolError
from aligned.devnet.cases import flip_byte
from aligned.devnet.layout import HOME_IN_USE, Layout, write_settings
from aligned.settings import load


def test_take__folder_of_somebody_else__left_alone(tmp_path: Path) -> None:
    file = tmp_path / "thesis.txt"
    file.write_text("years of work")
    with pytest.raises(ProtocolError):
        Layout(tmp_path).take()
    assert file.read_text() == "years of work"
    assert list(tmp_path.iterdir()) == [file]


def test_take__own_folder_of_an_earlier_run__emptied(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "home")
    layout.take().close()
    (layout.home / "store").mkdir()
    (layout.home / "report.json").write_text("{}")
    with layout.take():
        assert (layout.home / "store").exists()  # a devnet that is refused leaves what the last one wrote
        layout.empty()
    assert not (layout.home / "store").exists()
    assert not (layout.home / "report.json").exists()
    assert layout.is_ours


def test_take__folder_of_a_devnet_that_runs__refused_and_left_alone(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "home")
    with layout.take():
        (layout.home / "store").mkdir()
        with pytest.raises(ProtocolError) as error:
            layout.take()
        assert error.value.code == HOME_IN_USE
        assert (layout.home / "store").exists()
    layout.take().close()


def test_database__url__in_a_file_that_only_the_owner_reads(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    file = layout.database("aggregation", "postgresql://somewhere")
    assert file.stat().st_mode & 0o077 == 0
    write_settings(layout.settings("gateway"), {"database": {"url_file": str(file)}})
    assert load(layout.settings("gateway")).database.url_file == file


def test_settings__written__are_read_back(tmp_path: Path) -> None:
    file = tmp_path / "role.toml"
    write_settings(
        file, {"chain": {"rpc_urls": ["http://a", 'http://"b"'], "chain_id": 1}, "batcher": {"port": 5}}
    )
    settings = load(file)
    assert settings.chain.rpc_urls == ("http://a", 'http://"b"')
    assert settings.batcher.port == 5


def test_flip_byte__json__one_digit_changes() -> None:
    text = b'{"pi_a": ["12345678901234567890"]}'
    flipped = flip_byte(text)
    assert len(flipped) == len(text)
    assert sum(a != b for a, b in zip(text, flipped, strict=True)) == 1
    assert flipped.decode().replace("[", "").isascii()
