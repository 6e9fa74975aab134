"""Key files: readable by their owner only, and closed to everybody without the password."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from aligned.chain.keys import load_bls, load_ecdsa, read_password, save_bls, save_ecdsa
from aligned.core.errors import ProtocolError

SECRET = (7).to_bytes(32)
PUBLIC = b"\x05" * 64
ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617


@pytest.fixture
def bls_file(tmp_path: Path) -> Path:
    path = tmp_path / "bls.json"
    save_bls(path, SECRET, PUBLIC, "pass wörd", scrypt_n=1024)
    return path


def _change(path: Path, *where: str, value: Any) -> None:
    fields = json.loads(path.read_text())
    inner = fields
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = value
    path.write_text(json.dumps(fields))


def test_bls__saved__comes_back_and_only_the_owner_reads_it(bls_file: Path) -> None:
    assert load_bls(bls_file, "pass wörd") == SECRET
    assert stat.S_IMODE(bls_file.stat().st_mode) == 0o600
    assert SECRET.hex() not in bls_file.read_text()


def test_bls__password_typed_in_another_unicode_form__opens(bls_file: Path) -> None:
    assert load_bls(bls_file, "pass wo\u0308rd\n") == SECRET


def test_bls__wrong_password__is_refused(bls_file: Path) -> None:
    with pytest.raises(ProtocolError, match="wrong_password"):
        load_bls(bls_file, "pass word")


def test_bls__two_files_of_one_key__share_no_salt(bls_file: Path, tmp_path: Path) -> None:
    save_bls(tmp_path / "2.json", SECRET, PUBLIC, "pass wörd", scrypt_n=1024)
    one, two = (json.loads(path.read_text())["crypto"] for path in (bls_file, tmp_path / "2.json"))
    assert one["cipher"]["message"] != two["cipher"]["message"]
    assert one["kdf"]["params"]["salt"] != two["kdf"]["params"]["salt"]


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("version",), 4),
        (("curve",), "bls12-381"),
        (("crypto", "kdf", "function"), "pbkdf2"),
        (("crypto", "kdf", "params", "n"), 2**30),
        (("crypto", "kdf", "params", "n"), 1000),
        (("crypto", "kdf", "params", "n"), 0),
        (("crypto", "kdf", "params", "r"), 2**20),
        (("crypto", "kdf", "params", "p"), 1000),
        (("crypto", "kdf", "params", "salt"), "zz"),
        (("crypto", "cipher", "message"), "00"),
        (("crypto", "cipher", "params", "iv"), "00"),
        (("crypto", "checksum", "message"), None),
        (("crypto",), []),
    ],
)
def test_bls__damaged_file__is_refused(bls_file: Path, where: tuple[str, ...], value: object) -> None:
    _change(bls_file, *where, value=value)
    with pytest.raises(ProtocolError, match="invalid_keystore"):
        load_bls(bls_file, "pass wörd")


@pytest.mark.parametrize("secret", [b"", b"\x01" * 31, bytes(32), ORDER.to_bytes(32), b"\xff" * 32])
def test_bls__secret_out_of_range__is_not_saved(tmp_path: Path, secret: bytes) -> None:
    with pytest.raises(ProtocolError, match="invalid_keystore"):
        save_bls(tmp_path / "x.json", secret, PUBLIC, "p", scrypt_n=1024)
    assert not (tmp_path / "x.json").exists()


def test_save__file_exists_or_is_a_link__is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "there.json").write_text("mine")
    (tmp_path / "link.json").symlink_to(tmp_path / "elsewhere.json")
    for name in ("there.json", "link.json"):
        with pytest.raises(FileExistsError):
            save_bls(tmp_path / name, SECRET, PUBLIC, "p", scrypt_n=1024)
    assert (tmp_path / "there.json").read_text() == "mine"
    assert not (tmp_path / "elsewhere.json").exists()


def test_ecdsa__saved__comes_back(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    address = save_ecdsa(path, b"\x11" * 32, "p")
    assert load_ecdsa(path, "p").address == address == Account.from_key(b"\x11" * 32).address
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ProtocolError, match="wrong_password"):
        load_ecdsa(path, "q")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"crypto": 3, "version": 3}', "\x00"])
def test_keystore__no_keystore__is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "k.json"
    path.write_text(text)
    for load in (load_ecdsa, load_bls):
        with pytest.raises(ProtocolError, match="invalid_keystore"):
            load(path, "p")


def test_keystore__no_file__is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="invalid_keystore"):
        load_bls(tmp_path / "absent", "p")


def test_password__file_then_environment__or_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "password"
    path.write_text("first line\nsecond\n")
    monkeypatch.setenv("KEY_PASSWORD", "from env")
    assert read_password(path, "KEY_PASSWORD") == "first line"
    assert read_password(None, "KEY_PASSWORD") == "from env"
    path.write_text("")
    for file, name in ((path, "KEY_PASSWORD"), (None, "ABSENT_VARIABLE"), (None, None)):
        with pytest.raises(ProtocolError, match="wrong_password"):
            read_password(file, name)
