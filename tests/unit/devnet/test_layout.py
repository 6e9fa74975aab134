"""Folders of a devnet, and what must not be deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from aligned.core.errors import ProtocolError
from aligned.devnet.cases import flip_byte
from aligned.devnet.layout import Layout, write_settings
from aligned.settings import load


def test_clear__folder_of_somebody_else__left_alone(tmp_path: Path) -> None:
    file = tmp_path / "thesis.txt"
    file.write_text("years of work")
    with pytest.raises(ProtocolError):
        Layout(tmp_path).clear()
    assert file.read_text() == "years of work"


def test_clear__own_folder_of_an_earlier_run__emptied(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "home")
    layout.clear()
    (layout.home / "store").mkdir()
    layout.clear()
    assert not (layout.home / "store").exists()


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
