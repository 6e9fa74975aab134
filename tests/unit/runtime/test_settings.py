"""The settings file, the environment over it, and everything that may be wrong with both."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from aligned.core.errors import ProtocolError
from aligned.settings import Settings, check, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "aligned.toml"


def test_load__nothing_given__defaults_on_loopback() -> None:
    settings = load()
    assert settings.chain.chain_id == 31337
    assert {settings.batcher.host, settings.operator.host, settings.aggregator.host} == {"127.0.0.1"}
    assert not settings.operator.allow_private_hosts
    assert not settings.operator.allow_redirects


def test_load__verifier_timeouts__operators_give_three_times_what_the_batcher_gives() -> None:
    settings = load()
    assert settings.operator.verifier_timeout_s >= 3 * settings.batcher.verifier_timeout_s


def test_load__environment__wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("[batcher]\nport = 1000\nhost = '127.0.0.2'\n")
    monkeypatch.setenv("ALIGNED__BATCHER__PORT", "2000")
    settings = load(file)
    assert (settings.batcher.port, settings.batcher.host) == (2000, "127.0.0.2")


def test_load__several_problems__all_named_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(
        "[chain]\nchain_id = -1\nrpc_urls = []\n[batcher]\nprot = 1\npassword = 'hunter2'\n[nonsense]\n"
    )
    monkeypatch.setenv("ALIGNED__SDK__WAIT_TIMEOUT_S", "soon")
    problems = check(file)
    for name in (
        "chain.chain_id",
        "chain.rpc_urls",
        "batcher.prot",
        "batcher.password",
        "nonsense",
        "sdk.wait_timeout_s",
    ):
        assert any(problem.startswith(name) for problem in problems), (name, problems)
    with pytest.raises(ProtocolError, match="invalid_settings") as caught:
        load(file)
    # Files that are not there are the check's own find.
    assert all(problem in str(caught.value) for problem in problems if ": no file " not in problem)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "[database]\nurl = 'postgresql://u:hunter2@h/d'",
        "[operator]\ndevnet_private_key = 'hunter2'",
        "[operator]\ndevnet_bls_secret = 'hunter2'",
        "[aggregator]\npassword = 'hunter2'",
    ],
)
def test_load__secret_in_the_file__is_refused_without_showing_it(file: Path, line: str) -> None:
    file.write_text(line)
    with pytest.raises(ProtocolError, match="secrets come from the environment") as caught:
        load(file)
    assert "hunter2" not in repr(caught.value)


def test_load__secret_in_the_environment__is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIGNED__DATABASE__URL", "postgresql://u:hunter2@h/d")
    settings = load()
    assert settings.database.url is not None
    assert settings.database.url.get_secret_value().endswith("@h/d")
    assert "hunter2" not in repr(settings) + settings.model_dump_json()


@pytest.mark.parametrize("text", ["[chain", "chain = 3", "\x00"])
def test_load__broken_file__says_so(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ProtocolError, match="invalid_settings"):
        load(file)


def test_load__no_such_file__says_so(file: Path) -> None:
    assert "No such file" in check(file)[0]


def test_check__key_file_missing__is_a_problem(file: Path, tmp_path: Path) -> None:
    deployment = tmp_path / "31337.json"
    deployment.write_text("{}")
    file.write_text(
        f"[chain]\ndeployment_file = '{deployment}'\n[batcher]\nkeystore_file = '{tmp_path}/none.json'\n"
    )
    assert check(file) == [f"batcher.keystore_file: no file {tmp_path}/none.json"]


def test_settings__changed_after_loading__is_refused() -> None:
    with pytest.raises(ValidationError):
        load().batcher.port = 1


def test_check__environment__wrong_variables_are_named_and_hide_no_other_mistake(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("[batcher]\nprot = 1\n")
    monkeypatch.setenv("ALIGNED__GATWAY__PORT", "hunter2")
    monkeypatch.setenv("ALIGNED__GATEWAY__TRUSTED_PROXIES", "10.0.0.0/8")
    monkeypatch.setenv("ALIGNED__INTAKE", "{hunter2")
    monkeypatch.setenv("ALIGNED__GATEWAY__PORT", "hunter2")
    problems = check(file)
    for start in (
        "ALIGNED__GATWAY__PORT: there is no section gatway; sections are chain, ",
        'ALIGNED__GATEWAY__TRUSTED_PROXIES: expected a list as JSON, such as ["',
        "ALIGNED__INTAKE: expected a section as JSON",
        "gateway.port: ",
        "batcher.prot: ",
    ):
        assert any(problem.startswith(start) for problem in problems), (start, problems)
    assert "hunter2" not in str(problems)
    with pytest.raises(ProtocolError, match="there is no section gatway"):
        load(None)


def test_load__list_in_the_environment__taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("aligned__gateway__trusted_proxies", '["10.0.0.0/8"]')
    assert [str(each) for each in load(None).gateway.trusted_proxies] == ["10.0.0.0/8"]


def floats() -> list[tuple[str, str]]:
    return [
        (section, name)
        for section, model in Settings.model_fields.items()
        for name, field in getattr(model.annotation, "model_fields", {}).items()
        if field.annotation is float
    ]


@pytest.mark.parametrize(("section", "name"), floats(), ids=str)
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_check__every_number__must_be_finite(section: str, name: str, value: str, file: Path) -> None:
    file.write_text(f"[{section}]\n{name} = {value}\n")
    assert any(problem.startswith(f"{section}.{name}: ") for problem in check(file))
