"""The registry of addresses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_utils import is_checksum_address

from aligned.chain.deployment import Deployment
from aligned.core.errors import ProtocolError

FIELDS = {
    "chain_id": 31337,
    "service_manager": "0x" + "ab" * 20,
    "payment_service": "0x" + "02" * 20,
    "operator_registry": "0x" + "03" * 20,
    "stake_source": "0x" + "04" * 20,
    "access_manager": "0x" + "05" * 20,
    "aggregation_payment_service": "0x" + "06" * 20,
    "aggregation_service": "0x" + "07" * 20,
    "deployed_block": 7,
}


def test_deployment__saved__comes_back_with_checksummed_addresses(tmp_path: Path) -> None:
    deployment = Deployment.model_validate(FIELDS)
    path = tmp_path / "new" / "31337.json"
    deployment.save(path)
    assert Deployment.load(path) == deployment
    assert is_checksum_address(deployment.service_manager)
    assert deployment.service_manager.lower() == FIELDS["service_manager"]
    assert list(path.parent.iterdir()) == [path]


def test_deployment__several_wrong_fields__all_named(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text(json.dumps(FIELDS | {"service_manager": "0x12", "chain_id": 0, "deployed_block": -1}))
    with pytest.raises(ProtocolError, match="invalid_deployment") as caught:
        Deployment.load(path)
    assert all(name in str(caught.value) for name in ("service_manager", "chain_id", "deployed_block"))


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_deployment__no_deployment__is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "d.json"
    path.write_text(text)
    for file in (path, tmp_path / "absent"):
        with pytest.raises(ProtocolError, match="invalid_deployment"):
            Deployment.load(file)
