"""The command line without any service behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from aligned.chain.deployment import Deployment
from aligned.cli.files import Ether, Hex
from aligned.cli.main import cli
from aligned.cli.output import Result, command, ether
from aligned.core.errors import DependencyError, ProofError
from aligned.settings import load


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))
        else:
            yield (*path, name), found


ALL = dict(commands(cli))


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, arguments)
    return result.exit_code, result.output


@pytest.mark.parametrize("path", sorted(ALL), ids=" ".join)
def test_help__every_command__teaches_with_an_example(path: tuple[str, ...]) -> None:
    code, text = run(*path, "--help")
    assert code == 0
    assert "Example" in text
    assert f"aligned {' '.join(path)}" in text or path[0] in (
        "batcher",
        "aggregator",
        "operator",
        "poller",
        "gateway",
        "proof-aggregator",
        "config",
        "db",
    )
    assert "--json" in text


@pytest.mark.parametrize(
    ("text", "wei"),
    [
        ("0", 0),
        ("1ether", 10**18),
        ("0.1ether", 10**17),
        ("30gwei", 30 * 10**9),
        ("7wei", 7),
        (" 2 ether ", 2 * 10**18),
    ],
)
def test_amount__every_unit__exact_wei(text: str, wei: int) -> None:
    assert Ether().convert(text, None, None) == wei


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ether",
        "-1",
        "1",
        "0.5",
        "1000",
        "1.5wei",
        "1e18",
        "0x10",
        "1.2.3",
        "1,5",
        "٣",
        "0.0000000000000000001",
    ],
)
def test_amount__anything_else__wrong_usage(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Ether().convert(text, None, None)


@pytest.mark.parametrize("text", ["", "0x", "0x11", "zz" * 32, "0x" + "11" * 33])
def test_hash__wrong_length_or_digits__wrong_usage(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Hex(32).convert(text, None, None)


def test_ether__any_amount__no_digit_lost() -> None:
    assert [ether(wei) for wei in (0, 1, 10**18, 15 * 10**17)] == [
        "0 ether",
        "0.000000000000000001 ether",
        "1 ether",
        "1.5 ether",
    ]


@pytest.mark.parametrize(("error", "code"), [(ProofError("a", "b"), 1), (DependencyError("a", "b"), 3)])
def test_exit_code__failed_command__1_or_3_and_one_object_in_json(error: Exception, code: int) -> None:
    @click.command()
    @command
    async def fails() -> Result:
        raise error

    result = CliRunner(mix_stderr=False).invoke(fails, ["--json"])
    assert result.exit_code == code
    assert json.loads(result.stdout) == {"error": {"code": "a", "message": "b", "context": {}}}


def test_devnet_account__on_another_chain__refused(tmp_path: Path) -> None:
    deployment = dict.fromkeys(Deployment.model_fields, "0x" + "11" * 20)
    file = tmp_path / "1.json"
    file.write_text(json.dumps(deployment | {"chain_id": 1, "deployed_block": 0}))
    code, text = run(
        "deposit",
        "1ether",
        "--network",
        str(file),
        "--rpc-url",
        "http://127.0.0.1:1",
        "--devnet-account",
        "1",
    )
    assert code == 2
    assert "key is public" in text


def test_signer__none_or_two__wrong_usage(tmp_path: Path) -> None:
    keystore = tmp_path / "key.json"
    keystore.write_text("{}")
    assert run("unlock")[0] == 2
    assert run("unlock", "--devnet-account", "1", "--keystore", str(keystore))[0] == 2


def test_network__deployment_file_without_endpoint__wrong_usage(tmp_path: Path) -> None:
    file = tmp_path / "1.json"
    file.write_text("{}")
    assert run("balance", "0x" + "11" * 20, "--network", str(file))[0] == 2
    assert run("balance", "0x" + "11" * 20, "--network", "nowhere")[0] == 2


def test_keys__new_files__encrypted_and_never_overwritten(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    for kind, public in (("new-ecdsa", "address"), ("new-bls", "operator_id")):
        file = tmp_path / f"{kind}.json"
        code, text = run("keys", kind, str(file), "--password-file", str(password), "--json")
        assert code == 0, text
        assert json.loads(text)[public].startswith("0x")
        before = file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0
        assert run("keys", kind, str(file), "--password-file", str(password))[0] == 2
        assert file.read_bytes() == before


def test_config__wrong_file__every_mistake_at_once(tmp_path: Path) -> None:
    file = tmp_path / "aligned.toml"
    file.write_text("[batcher]\nport = 99999\nunknown = 1\n")
    code, text = run("config", "check", "--config", str(file))
    assert code == 1
    assert "batcher.port" in text
    assert "batcher.unknown" in text


def test_config_check__files_that_are_not_there__all_named(tmp_path: Path) -> None:
    file = tmp_path / "aligned.toml"
    file.write_text("[database]\nurl_file = '/nowhere/url'\n[batcher]\nkeystore_file = '/nowhere/keys'\n")
    code, text = run("config", "check", "--config", str(file))
    assert code == 1
    assert "database.url_file: no file /nowhere/url" in text
    assert "batcher.keystore_file: no file /nowhere/keys" in text


def test_config_check__wrong_values_and_missing_files__named_together(tmp_path: Path) -> None:
    file = tmp_path / "aligned.toml"
    file.write_text(
        "[chain]\ndeployment_file = '/nowhere/d'\nchain_id = 0\n[database]\nurl = 'postgresql://x'\n"
        "[batcher]\nport = 99999\nhost = 'elsewhere'\nkeystore_file = '/nowhere/keys'\nprot = 1\n[nothing]\n"
    )
    code, text = run("config", "check", "--config", str(file))
    assert code == 1
    for wrong in (
        "chain.deployment_file: no file /nowhere/d",
        "chain.chain_id",
        "database.url: secrets come from",
        "batcher.port",
        "batcher.host: Value error, expected an IP address",
        "batcher.keystore_file: no file /nowhere/keys",
        "batcher.prot",
        "nothing",
    ):
        assert wrong in text, text


def test_config_check__file_from_the_environment_is_not_there__named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIGNED__GATEWAY__PORT", "x")
    monkeypatch.setenv("ALIGNED__BATCHER__PASSWORD_FILE", "/nowhere/password")
    file = tmp_path / "aligned.toml"
    file.write_text("")
    text = run("config", "check", "--config", str(file))[1]
    assert "batcher.password_file: no file /nowhere/password" in text
    assert "gateway.port" in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe[\x00c\x00]\x00", "UTF-16"),
        (b"[chain]\nx = '\xe4'", "UTF-8"),
        (b"[chain", "no TOML"),
        (b"a = " + b"[" * 5_000, "no TOML"),
    ],
)
def test_config_check__file_that_cannot_be_read__one_line(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "aligned.toml"
    file.write_bytes(content)
    code, text = run("config", "check", "--config", str(file))
    assert code == 1
    assert said in text


def test_config__byte_order_mark__is_no_part_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "aligned.toml"
    file.write_bytes(b"\xef\xbb\xbf[batcher]\nport = 4242\n")
    assert load(file).batcher.port == 4242


@pytest.mark.parametrize(
    "section", ["batcher", "operator", "aggregator", "poller", "gateway", "proof_aggregator"]
)
@pytest.mark.parametrize(
    ("host", "means"),
    [
        ("localhost", "127.0.0.1"),
        ("LocalHost", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("::1", "::1"),
        ("[::]", "::"),
    ],
)
def test_host__every_role__an_address_to_listen_on(
    tmp_path: Path, section: str, host: str, means: str
) -> None:
    file = tmp_path / "aligned.toml"
    file.write_text(f"[{section}]\nhost = '{host}'\n")
    assert getattr(load(file), section).host == means


@pytest.mark.parametrize(
    "host", ["", "example.org", "127.0.0.1:8080", "300.1.1.1", "localhost.", "http://127.0.0.1"]
)
def test_host__anything_else__refused_by_config_check(tmp_path: Path, host: str) -> None:
    file = tmp_path / "aligned.toml"
    file.write_text(f"[gateway]\nhost = '{host}'\n")
    assert (
        "gateway.host: Value error, expected an IP address"
        in run("config", "check", "--config", str(file))[1]
    )


def test_config_show__secret_from_the_environment__not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIGNED__DATABASE__URL", "postgresql://user:hunter2@host/db")
    code, text = run("config", "show", "--json")
    assert code == 0
    assert "hunter2" not in text


def test_submit__file_that_is_not_there__wrong_usage() -> None:
    assert run("submit", "--system", "SP1", "--proof", "/nowhere/at/all", "--devnet-account", "1")[0] == 2
