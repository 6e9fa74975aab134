"""What a receipt says is recomputed: a gateway that lies about leaf, index, count or path is caught without a chain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from aligned.cli.main import cli
from aligned.core.errors import AlignedError, ProofError, ProtocolError
from aligned.sdk.aggregation_models import check_receipt, placement, read_receipt
from tests.unit.sdk.aggregations import COMMITMENTS, INPUTS, TREE, receipt_fields


@pytest.mark.parametrize("index", range(len(COMMITMENTS)))
def test_check_receipt__every_leaf_of_an_odd_tree__holds(index: int) -> None:
    receipt = read_receipt(json.dumps(receipt_fields(index)))
    check_receipt(receipt, INPUTS[index])
    assert placement(receipt)[1:] == (index, TREE.path(index))


def changed(**changes: object) -> str:
    return json.dumps(receipt_fields() | changes)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(receipt_fields(leaf_index=3)),
        json.dumps(receipt_fields(leaf_index=2 + 8)),
        json.dumps(receipt_fields(leaf_index=-1)),
        json.dumps(receipt_fields(leaf_count=4)),
        json.dumps(receipt_fields(leaf_count=10**30)),
        json.dumps(receipt_fields(root="0x" + "11" * 32)),
        json.dumps(receipt_fields(path=[])),
        json.dumps(receipt_fields(path=["0x" + "00" * 32] * 3)),
        changed(leaf="0x" + TREE.root.hex()),
        changed(commitment="0x" + "22" * 32),
        changed(system="risc0"),
    ],
)
def test_check_receipt__anything_changed__invalid_proof(text: str) -> None:
    with pytest.raises(ProofError, match="invalid_proof"):
        check_receipt(read_receipt(text))


def test_check_receipt__other_public_inputs_or_program__invalid_proof() -> None:
    receipt = read_receipt(json.dumps(receipt_fields(2)))
    with pytest.raises(ProofError, match="public inputs"):
        check_receipt(receipt, INPUTS[3])
    other = read_receipt(changed(program_id="0x" + "33" * 32))
    with pytest.raises(ProofError, match="public inputs"):
        check_receipt(other, INPUTS[2])


@pytest.mark.parametrize("changes", [{"path": None}, {"leaf_index": None}])
def test_check_receipt__no_place_yet__not_aggregated(changes: dict[str, object]) -> None:
    with pytest.raises(ProofError, match="not_aggregated"):
        check_receipt(read_receipt(json.dumps(receipt_fields(**changes))))
    with pytest.raises(ProofError, match="not_aggregated"):
        check_receipt(read_receipt(changed(aggregation=None)))


REVOKED = {"code": "root_revoked", "reason": "the root was revoked on chain"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": "rejected", "reject": REVOKED}, "root_revoked: .*the root was revoked on chain"),
        ({"reject": REVOKED}, "root_revoked"),
        ({"state": "rejected"}, "rejected"),
        ({"state": "rejected", "reject": REVOKED, "aggregation": None}, "root_revoked"),
    ],
)
def test_check_receipt__rejected_but_with_a_place__is_refused_with_the_reason(
    changes: dict[str, object], message: str
) -> None:
    """A revoked root leaves its proofs their paths, which lead to it as before."""
    with pytest.raises(ProofError, match=message):
        check_receipt(read_receipt(changed(**changes)))


@pytest.mark.parametrize("text", ["", "[]", "5", "{}", "[" * 200_000, '{"id": {}}', changed(leaf="0x12")])
def test_read_receipt__something_else__malformed_message(text: str) -> None:
    with pytest.raises(ProtocolError, match="malformed_message"):
        read_receipt(text)


json_values = st.none() | st.booleans() | st.integers() | st.text(max_size=70) | st.lists(st.integers())


@given(st.sampled_from(sorted(receipt_fields()["aggregation"])), json_values)
def test_check_receipt__any_entry_replaced__nothing_but_aligned_errors(name: str, value: object) -> None:
    kept = ("id", "level", "not_proved", "state", "tx_hash", "block_number", "block_hash", "versioned_hashes")
    try:
        check_receipt(read_receipt(json.dumps(receipt_fields(**{name: value}))))
    except AlignedError:
        return
    assert name in (*kept, "program_id") or receipt_fields()["aggregation"][name] == value


@pytest.mark.parametrize(("reject", "code"), [(None, 0), (REVOKED, 1)])
def test_verify_inclusion__offline__exit_code_1_and_the_reason_for_a_revoked_root(
    tmp_path: Path, reject: dict[str, str] | None, code: int
) -> None:
    file = tmp_path / "receipt.json"
    file.write_text(changed(reject=reject, state="rejected" if reject else "final"))
    options = ["--network", "devnet", "--offline", "--json"]
    shown = CliRunner().invoke(cli, ["aggregation", "verify-inclusion", str(file), *options])
    assert shown.exit_code == code, shown.output
    assert ("root_revoked" in shown.output) == bool(reject)
