"""The aggregation part of report.json, and when the demo may say that everything held."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from aligned.core.aggregation import AggregationSystem
from aligned.devnet.aggregation_cases import aggregation_proofs, bad_submissions
from aligned.devnet.aggregation_demo import PROOFS, AggregatedProof, AggregationDemo, SystemRun
from aligned.devnet.aggregation_view import aggregation_report
from aligned.devnet.cases import Refusal


def run_of(system: AggregationSystem) -> SystemRun:
    """A run in which everything happened as it must."""
    proofs = [
        AggregatedProof(proof, "payer", "final", None, True) for proof in aggregation_proofs(system, PROOFS)
    ]
    return SystemRun(
        system,
        proofs,
        level="native",
        not_proved="no zkVM ran",
        chunks=2,
        root=b"\x11" * 32,
        leaf_count=PROOFS,
        blobs=1,
        tx_hash=b"\x22" * 32,
        gas=116_000,
        blob_bound=True,
        foreign={"index ≥ count": True},
        leaves_source="beacon http://127.0.0.1:1",
        consumer_accepts=True,
        consumer_refuses=True,
        seconds=12.345,
    )


def good_demo() -> AggregationDemo:
    refusals = [Refusal("empty", "empty_proof", True), Refusal("control", "accepted", True, is_control=True)]
    return AggregationDemo([run_of(system) for system in AggregationSystem], refusals, is_complete=True)


def test_report__good_run__every_promised_key_with_its_type() -> None:
    found = json.loads(json.dumps(aggregation_report(good_demo())))
    assert [each["system"] for each in found["systems"]] == ["sp1", "risc0"]
    first = found["systems"][0]
    wanted = {
        "level": "native",
        "proofs": PROOFS,
        "chunks": 2,
        "root": "0x" + "11" * 32,
        "leaf_count": PROOFS,
        "blobs": 1,
        "tx": "0x" + "22" * 32,
        "gas": 116_000,
        "blob_bound": True,
        "inclusion": [True] * PROOFS,
        "non_member_refused": True,
        "seconds": 12.35,
    }
    assert {name: first[name] for name in wanted} == wanted
    assert found["refused"] == [{"file": "empty", "code": "empty_proof"}]
    assert found["controls"] == [{"file": "control", "code": "accepted"}]
    assert good_demo().has_held


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chunks", 1),
        ("leaf_count", PROOFS - 1),
        ("blob_bound", False),
        ("foreign", {}),
        ("foreign", {"inner node": False}),
        ("consumer_accepts", False),
        ("consumer_refuses", False),
        ("proofs", []),
    ],
)
def test_has_held__one_thing_wrong_with_a_run__no(name: str, value: object) -> None:
    demo = good_demo()
    demo.runs[1] = replace(demo.runs[1], **{name: value})
    assert not demo.has_held


def test_has_held__proof_left_out_refusal_wrong_or_run_broken_off__no() -> None:
    left_out, wrong, broken_off, one_system = (good_demo() for _ in range(4))
    left_out.runs[0].proofs[3].is_included = False
    wrong.refusals.append(Refusal("forged", "accepted", False))
    broken_off.is_complete = False
    one_system.runs.pop()
    assert [demo.has_held for demo in (left_out, wrong, broken_off, one_system)] == [False] * 4


@pytest.mark.parametrize("system", AggregationSystem)
def test_cases__each_system__four_real_proofs_and_every_kind_of_damage(system: AggregationSystem) -> None:
    proofs = aggregation_proofs(system, PROOFS)
    assert len({proof.files.commitment for proof in proofs}) >= 2
    names = " ".join(case.file for case in bad_submissions(system))
    for damage in ("flipped byte", "truncated", "wrong public values", "wrong key", "empty"):
        assert damage in names
    assert all(case.codes and "accepted" not in case.codes for case in bad_submissions(system))
