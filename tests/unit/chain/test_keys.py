"""Key files: readable by their owner only, and closed to everybody without the password."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from aligned.chain.keys import INVALID_KEYSTORE, load_bls, load_ecdsa, read_password, save_bls, save_ecdsa
from aligned.chain.keystore import check_scrypt
from aligned.core.errors import NOT_UTF8, ProtocolError

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
        (("crypto", "kdf", "params", "n"), -(10**30)),
        (("crypto", "kdf", "params", "n"), "9" * 5_000),
        (("crypto", "checksum", "message"), "00"),
        (("crypto", "cipher", "params"), {}),
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


@pytest.fixture
def ecdsa_fields() -> dict[str, Any]:
    """A keystore in its cheapest form."""
    return dict(Account.encrypt(b"\x11" * 32, "pw", kdf="scrypt", iterations=1024))


def _set(fields: dict[str, Any], where: tuple[str, ...], value: object) -> None:
    inner = fields
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = value


@pytest.mark.parametrize(
    ("where", "value", "reason"),
    [
        (("version",), 4, "version 4"),
        (("version",), "3", "version is missing or no whole number"),
        (("crypto",), [], "crypto is missing or no object"),
        (("crypto", "cipher"), "aes-256-gcm", "cipher 'aes-256-gcm'"),
        (("crypto", "cipherparams"), None, "cipherparams is missing"),
        (("crypto", "cipherparams", "iv"), "00", "iv has 1 bytes, expected 16"),
        (("crypto", "ciphertext"), "zz", "ciphertext is no hex"),
        (("crypto", "ciphertext"), 7, "ciphertext is missing or no text"),
        (
            ("crypto", "mac"),
            "59e74e51ea274b0811283592528837cbac2176ecb475ad248c8267970b915b7",
            "mac is no hex",
        ),
        (("crypto", "mac"), "00", "mac has 1 bytes"),
        # What Python reads as hex although other readers do not: a wrong password would be blamed.
        (("crypto", "mac"), " " + "00" * 32, "mac is no hex"),
        (("crypto", "ciphertext"), "00 " * 32, "ciphertext is no hex"),
        (("crypto", "kdfparams", "salt"), "07 9a\nfc", "salt is no hex"),
        (
            ("address",),
            "11" * 20,
            "names the account 1111111111111111111111111111111111111111, its key is that of",
        ),
        (("crypto", "kdf"), "argon2", "kdf 'argon2', expected scrypt or pbkdf2"),
        (("crypto", "kdfparams", "salt"), None, "salt is missing"),
        (("crypto", "kdfparams", "dklen"), 16, "dklen 16"),
        (("crypto", "kdfparams", "dklen"), 2**40, "dklen"),
        (("crypto", "kdfparams", "n"), 1000, "n = 1000, expected a power of two"),
        (("crypto", "kdfparams", "n"), -(10**30), "expected a power of two"),
        (("crypto", "kdfparams", "n"), True, "n is missing or no whole number"),
        (("crypto", "kdfparams", "n"), 2**30, "too much memory or time"),
        (("crypto", "kdfparams", "r"), 2**30, "too much memory or time"),
        (("crypto", "kdfparams", "r"), 0, "at least 1"),
        (("crypto", "kdfparams", "p"), 2**20, "too much memory or time"),
    ],
)
def test_ecdsa__damaged_file__is_refused_with_the_field_that_is_wrong(
    tmp_path: Path, ecdsa_fields: dict[str, Any], where: tuple[str, ...], value: object, reason: str
) -> None:
    _set(ecdsa_fields, where, value)
    path = tmp_path / "k.json"
    path.write_text(json.dumps(ecdsa_fields))
    with pytest.raises(ProtocolError) as error:
        load_ecdsa(path, "pw")
    assert error.value.code == INVALID_KEYSTORE
    assert reason in error.value.message


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"prf": "hmac-sha512"}, "prf 'hmac-sha512', expected hmac-sha256"), ({"c": 10**12}, "expected 1 to")],
)
def test_ecdsa__pbkdf2_with_other_terms__is_refused(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    fields = dict(Account.encrypt(b"\x11" * 32, "pw", kdf="pbkdf2", iterations=16))
    path = tmp_path / "k.json"
    path.write_text(json.dumps(fields))
    assert load_ecdsa(path, "pw").address == Account.from_key(b"\x11" * 32).address
    fields["crypto"]["kdfparams"] |= change
    path.write_text(json.dumps(fields))
    with pytest.raises(ProtocolError, match=reason) as error:
        load_ecdsa(path, "pw")
    assert error.value.code == INVALID_KEYSTORE


def test_ecdsa__light_form_of_geth__opens(tmp_path: Path) -> None:
    """n = 4096, p = 6."""
    fields: dict[str, Any] = dict(Account.encrypt(b"\x11" * 32, "pw", kdf="scrypt", iterations=4096))
    path = tmp_path / "k.json"
    path.write_text(json.dumps(fields))
    assert load_ecdsa(path, "pw")
    check_scrypt(4096, 8, 6)
    check_scrypt(2**18, 8, 1)


def test_ecdsa__spelt_as_old_clients_do__opens(tmp_path: Path, ecdsa_fields: dict[str, Any]) -> None:
    path = tmp_path / "k.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"Crypto": ecdsa_fields["crypto"], "version": 3}).encode())
    assert load_ecdsa(path, "pw").address == Account.from_key(b"\x11" * 32).address


@pytest.mark.parametrize("content", [b"[" * 50_000, b"{" + b" " * 70_000 + b"}", b"\xff\xfe{\x00}\x00"])
def test_keystore__deep_long_or_in_another_encoding__is_refused_in_one_line(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "k.json"
    path.write_bytes(content)
    for load in (load_ecdsa, load_bls):
        with pytest.raises(ProtocolError) as error:
            load(path, "pw")
        assert error.value.code in (INVALID_KEYSTORE, NOT_UTF8)
        assert "\n" not in error.value.message


@pytest.mark.parametrize("content", ["pässword\n".encode("utf-16"), "pässword\n".encode("latin-1")])
def test_password__file_in_another_encoding__said_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(ProtocolError, match="UTF-8") as error:
        read_password(path)
    assert error.value.code == NOT_UTF8
    assert "\n" not in error.value.message


def test_password__byte_order_mark__is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_bytes(b"\xef\xbb\xbfhorse\n")
    assert read_password(path) == "horse"


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
