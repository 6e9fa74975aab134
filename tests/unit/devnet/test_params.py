"""The parameter files as they are shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from aligned.core.errors import ProtocolError
from aligned.devnet.layout import PARAMS
from aligned.devnet.params import DEVNET_CHAIN_ID, DeploymentParams

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
