"""What the demo shows of aggregation mode, and its part of report.json."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aligned.devnet.aggregation_demo import AggregatedProof, AggregationDemo, SystemRun

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
    counts = f"{len(demo.refusals) - len(wrong)} of {len(demo.refusals)} refused or answered as they must be"
    lines: list[RenderableType] = [table, Text(counts, style="red" if wrong else "")]
    return Group(*lines, *(Text(f"  {refusal.file}: {refusal.code}", style="red") for refusal in wrong))


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
    """A line for each system: what was put on chain, what was checked, and what the level leaves unproved."""
    table = Table("system", "chunks", "blobs", "gas", "blob bound", "foreign leaves", "contract", "seconds")
    for run in demo.runs:
        table.add_row(
            run.system.name,
            str(run.chunks),
            str(run.blobs),
            f"{run.gas:,}",
            _yes(run.blob_bound),
            f"{sum(run.foreign.values())} of {len(run.foreign)} refused",
            f"takes {_yes(run.consumer_accepts)}, refuses {_yes(run.consumer_refuses)}",
            "" if run.seconds is None or run.seconds < 0 else f"{run.seconds:.1f}",
        )
    return Group(table, *(_level(run) for run in demo.runs if run.level))


def _level(run: SystemRun) -> Text:
    proved = f"every leaf is in it; leaves checked from the {run.leaves_source.partition(' ')[0]}"
    not_proved = f" Not proved at level {run.level}: {run.not_proved}." if run.not_proved else ""
    return Text(f"{run.system.name}: {proved}.{not_proved}", style="yellow" if run.not_proved else "")


def _yes(value: bool) -> Text | str:
    return "yes" if value else Text("NO", style="red").plain


def aggregation_report(demo: AggregationDemo) -> Mapping[str, object]:
    """The object `aggregation` of report.json."""
    return {
        "systems": [_run(run) for run in demo.runs],
        "refused": [{"file": refusal.file, "code": refusal.code} for refusal in demo.refusals],
    }


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
