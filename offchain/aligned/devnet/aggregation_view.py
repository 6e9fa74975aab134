"""What the demo shows of aggregation mode, and its part of report.json."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aligned.devnet.aggregation_demo import AggregatedProof, AggregationDemo, SystemRun
from aligned.devnet.cases import Refusal
from aligned.devnet.failures import answer

_STYLES = {"included": "bold green", "final": "green", "mined": "cyan", "rejected": "red", "waiting": "dim"}


def aggregation_view(demo: AggregationDemo) -> RenderableType:
    """The table of proofs, and what was refused."""
    table = Table()
    for name in ("proof", "sent by"):
        table.add_column(name, overflow="fold")
    for name in ("root", "leaf", "included on chain"):
        table.add_column(name)
    for run in demo.runs:
        for row in run.proofs:
            table.add_row(*_cells(row))
    wrong = [refusal for refusal in demo.refusals if not refusal.is_right]
    controls = sum(refusal.is_control for refusal in demo.refusals)
    right = len(demo.refusals) - len(wrong)
    counts = (
        f"{right} of {len(demo.refusals)} attempts on gateway, programs and contracts ended as they must: "
        f"refused with their code, {controls} controls taken"
    )
    lines: list[RenderableType] = [table, Text(counts, style="red" if wrong else "")]
    return Group(*lines, *(Text(f"  {refusal}", style="red") for refusal in wrong))


def _cells(row: AggregatedProof) -> list[RenderableType]:
    place = None if row.receipt is None else row.receipt.aggregation
    state = "included" if row.is_included else row.state
    return [
        row.proof.file,
        row.owner,
        "" if place is None else f"0x{place.root.hex()[:8]}…",
        "" if place is None or place.leaf_index is None else f"{place.leaf_index} of {place.leaf_count}",
        Text("yes" if row.is_included else state, style=_STYLES.get(state, "yellow")),
    ]


def aggregation_summary(demo: AggregationDemo) -> RenderableType:
    """A line for each system, with what was checked on chain; and what the level leaves unproved."""
    table = Table("system", "chunks", "blobs", "gas", "blob bound", "foreign leaves", "contract", "seconds")
    for run in demo.runs:
        table.add_row(
            run.system.name,
            str(run.chunks),
            str(run.blobs),
            f"{run.gas:,}",
            _answer(run.blob_bound),
            f"{sum(run.foreign.values())} of {len(run.foreign)} refused" if run.foreign else answer(None),
            f"takes {answer(run.consumer_accepts)}, refuses {answer(run.consumer_refuses)}",
            "" if run.seconds is None or run.seconds < 0 else f"{run.seconds:.1f}",
        )
    levels = dict.fromkeys((run.level, run.not_proved) for run in demo.runs if run.level)
    return Group(table, *(_level(level, not_proved) for level, not_proved in levels))


def _level(level: str, not_proved: str) -> Text:
    """Every level verifies each user's proof for real; what differs is what others can check."""
    if not not_proved:
        return Text(f"level {level}: Ethereum verified a proof of the whole aggregation")
    text = (
        f"level {level}: every user's proof was verified, by the gateway and by the aggregating program.\n"
        f"Not proved: {not_proved}. The devnet's contract took this root on trust (DevVerifier, chain id 31337 only);\n"
        "on any other chain it takes a Groth16 proof of the aggregating program and nothing else."
    )
    return Text(text, style="yellow")


def _answer(value: bool | None) -> Text:
    return Text(answer(value), style="" if value else "red")


def aggregation_report(demo: AggregationDemo) -> Mapping[str, object]:
    """The object `aggregation` of report.json."""
    return {
        "systems": [_run(run) for run in demo.runs],
        "refused": [_refusal(each) for each in demo.refusals if not each.is_control],
        "controls": [_refusal(each) for each in demo.refusals if each.is_control],
    }


def _refusal(refusal: Refusal) -> dict[str, str]:
    return {"file": refusal.file, "code": refusal.code}


def _run(run: SystemRun) -> dict[str, object]:
    return {
        "system": run.system.wire_name,
        "level": run.level,
        "not_proved": run.not_proved,
        "proofs": len(run.proofs),
        "chunks": run.chunks,
        "root": None if run.root is None else "0x" + run.root.hex(),
        "leaf_count": run.leaf_count,
        "blobs": run.blobs,
        "tx": None if run.tx_hash is None else "0x" + run.tx_hash.hex(),
        "gas": run.gas,
        "blob_bound": run.blob_bound,
        "inclusion": [row.is_included for row in run.proofs],
        "non_member_refused": run.non_member_refused,
        "foreign_leaves": dict(run.foreign),
        "leaves_from": run.leaves_source.partition(" ")[0],
        "consumer_contract": {"accepts": run.consumer_accepts, "refuses": run.consumer_refuses},
        "seconds": None if run.seconds is None or run.seconds < 0 else round(run.seconds, 2),
    }
