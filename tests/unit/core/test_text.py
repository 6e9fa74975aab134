"""Text files: UTF-8, with or without the mark that Windows editors write."""

from __future__ import annotations

from pathlib import Path

import pytest

from aligned.core.errors import NOT_UTF8, ProtocolError
from aligned.core.text import decode_text
from aligned.devnet.params import DeploymentParams


@pytest.mark.parametrize("text", ["", "a", 'host = "ä"\n', "€ 😀"])
def test_decode_text__utf8_with_and_without_mark__is_the_same_text(text: str) -> None:
    assert decode_text(text.encode(), "a.toml") == text
    assert decode_text(text.encode("utf-8-sig"), "a.toml") == text


def test_decode_text__second_mark__belongs_to_the_text() -> None:
    assert decode_text(b"\xef\xbb\xbf" * 2, "a") == "\ufeff"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("pw".encode("utf-16"), "UTF-16"),
        (b"\xfe\xff\x00p", "UTF-16"),
        (b"p\xe4ss", "byte 1"),
        (b"\xc3", "byte 0"),
    ],
)
def test_decode_text__another_encoding__is_named_with_the_file(content: bytes, named: str) -> None:
    with pytest.raises(ProtocolError, match=f"pass.txt.*{named}") as refusal:
        decode_text(content, "pass.txt")
    assert refusal.value.code == NOT_UTF8
    assert "save" in refusal.value.message


def test_decode_text__error_of_the_last_byte__is_found() -> None:
    with pytest.raises(ProtocolError, match="not UTF-8"):
        decode_text(b"\xef\xbb\xbfab\xe2\x82", "x")


def test_deployment_file__with_mark__is_read(tmp_path: Path) -> None:
    given = Path(__file__).parents[3] / "deployments" / "params" / "devnet.yaml"
    marked = tmp_path / "devnet.yaml"
    marked.write_bytes(b"\xef\xbb\xbf" + given.read_bytes())
    assert DeploymentParams.load(marked) == DeploymentParams.load(given)
    marked.write_text(given.read_text(), encoding="utf-16")
    with pytest.raises(ProtocolError, match="UTF-16"):
        DeploymentParams.load(marked)
