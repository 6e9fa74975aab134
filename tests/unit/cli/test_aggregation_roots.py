"""aligned aggregation show, without gateway and chain."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from aligned.cli.main import cli
from aligned.sdk.aggregation import AggregationClient
from aligned.sdk.leaves import RootOnChain
from aligned.wire.gateway import Aggregation, BlobRef
from tests.unit.sdk.aggregations import root_on_chain

SAID = Aggregation(
    id=1,
    system="sp1",
    level="native",
    not_proved="everything",
    state="final",
    root=root_on_chain().root,
    leaf_count=root_on_chain().leaf_count,
    program_id=root_on_chain().program_id,
    cycles=None,
    tx_hash=root_on_chain().tx_hash,
    block_number=7,
    block_hash=bytes(32),
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    blobs=tuple(
        BlobRef(versioned_hash=each, kzg_commitment=bytes(48)) for each in root_on_chain().versioned_hashes
    ),
)


def show(
    monkeypatch: pytest.MonkeyPatch, said: Aggregation, found: RootOnChain
) -> tuple[int, dict[str, Any]]:
    """Exit code and object of `show` for these answers of gateway and contract."""

    async def aggregation(_client: AggregationClient, _root: bytes) -> Aggregation:
        return said

    async def recorded(_client: AggregationClient, _root: bytes) -> RootOnChain:
        return found

    monkeypatch.setattr(AggregationClient, "aggregation", aggregation)
    monkeypatch.setattr(AggregationClient, "root_on_chain", recorded)
    result = CliRunner().invoke(cli, ["aggregation", "show", "0x" + found.root.hex(), "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_show__gateway_and_contract_agree__0(monkeypatch: pytest.MonkeyPatch) -> None:
    code, shown = show(monkeypatch, SAID, root_on_chain())
    assert (code, shown["agrees"], shown["on_chain"]["revoked"]) == (0, True, False)


def test_show__root_was_revoked__1_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    said = SAID.model_copy(update={"state": "failed"})
    code, shown = show(monkeypatch, said, replace(root_on_chain(), revoked=True))
    assert (code, shown["agrees"], shown["on_chain"]["revoked"]) == (1, True, True)
    assert shown["gateway"]["state"] == "failed"


@pytest.mark.parametrize("change", [{"leaf_count": 6}, {"program_id": bytes(32)}, {"blobs": ()}])
def test_show__gateway_and_contract_differ__1(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    code, shown = show(monkeypatch, SAID.model_copy(update=change), root_on_chain())
    assert (code, shown["agrees"]) == (1, False)
