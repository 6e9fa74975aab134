"""The parameter files as they are shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from aligned.core.errors import ProtocolError
from aligned.devnet.layout import PARAMS
from aligned.devnet.params import DEVNET_CHAIN_ID, DeploymentParams
from aligned.devnet.setup import params_file

ADDRESS = "0x" + "11" * 20
EMPTY = [
    ("payment", "batcher"),
    ("stake", "source"),
    ("aggregation", "recipient"),
    ("roles", "admin"),
    ("roles", "guardian"),
    ("roles", "ejector"),
]


def example() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PARAMS / "mainnet.example.yaml").read_text())
    return loaded


def test_params__example_for_mainnet__loads_once_every_empty_address_is_filled_in(tmp_path: Path) -> None:
    file = tmp_path / "mainnet.yaml"
    for left_out in range(len(EMPTY)):
        raw = example()
        for section, field in EMPTY[:left_out] + EMPTY[left_out + 1 :]:
            raw[section][field] = ADDRESS
        file.write_text(yaml.safe_dump(raw))
        with pytest.raises(ProtocolError, match=EMPTY[left_out][1]):
            DeploymentParams.load(file)
    raw[EMPTY[-1][0]][EMPTY[-1][1]] = ADDRESS
    file.write_text(yaml.safe_dump(raw))
    params = DeploymentParams.load(file)
    assert params.roles.admin_min_delay_s >= 86_400
    assert params.aggregation.verifiers == "groth16"


@pytest.mark.parametrize("name", ["devnet", "mainnet-fork"])
def test_params__file_of_a_network__dev_verifiers_on_the_devnet_alone(name: str) -> None:
    params = DeploymentParams.load(PARAMS / f"{name}.yaml")
    assert (params.aggregation.verifiers == "dev") == (params.chain_id == DEVNET_CHAIN_ID)


def test_params__unknown_field__refused(tmp_path: Path) -> None:
    """A misspelt field would leave its default in force."""
    raw = example()
    raw["aggregation"]["verifier"] = "dev"
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(raw))
    with pytest.raises(ProtocolError, match=r"aggregation\.verifier\b"):
        DeploymentParams.load(file)


def test_params_file__name_or_path__the_file_itself(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("")
    assert params_file("devnet") == PARAMS / "devnet.yaml"
    assert params_file(str(PARAMS / "devnet.yaml")) == PARAMS / "devnet.yaml"
    assert params_file(str(own)) == own


def test_params_file__unknown__says_which_names_there_are() -> None:
    with pytest.raises(ProtocolError, match=r"devnet, mainnet-fork, mainnet\.example"):
        params_file("mainnet")


def test_load__several_wrong_fields__all_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("chain_id: 0\nregistry: 7\nunknown: 1\n")
    with pytest.raises(ProtocolError) as error:
        DeploymentParams.load(file)
    for name in ("chain_id:", "registry:", "unknown:", "service:", "payment:"):
        assert name in error.value.message
    assert "\n" not in error.value.message
    assert "pydantic.dev" not in error.value.message


@pytest.mark.parametrize("content", ["[" * 2_000, "{a: " * 2_000, "a: b: c\n"], ids=["lists", "maps", "typo"])
def test_params__no_yaml_or_nested_too_deeply__refused_in_one_line_with_the_file(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(content)
    with pytest.raises(ProtocolError) as refused:
        DeploymentParams.load(file)
    assert refused.value.message.startswith(f"{file}: ")
    assert "\n" not in refused.value.message
    assert len(refused.value.message) < 1_000
