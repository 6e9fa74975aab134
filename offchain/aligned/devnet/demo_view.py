"""What the demo shows while it runs, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aligned.devnet.aggregation_view import aggregation_report, aggregation_summary, aggregation_view
from aligned.devnet.demo import OPERATORS, SWITCHED_OFF, Demo, ProofRow
from aligned.devnet.failures import answer

WRONG_OUTCOME: Final = "wrong_outcome"
_STYLES = {"verified": "bold green", "posted": "cyan", "queued": "yellow", "waiting": "dim"}


def view(demo: Demo, *, is_over: bool = False) -> RenderableType:
    """The tables of proofs, and the step it is at."""
    table = Table()
    for name in ("proof", "system"):
        table.add_column(name, overflow="fold")
    for name in ("batch", "index", "verified on chain", "seconds"):
        table.add_column(name)
    for row in demo.rows:
        table.add_row(*_cells(row))
    wrong = [refusal for refusal in demo.refusals if not refusal.is_right]
    counts = f"{len(demo.refusals) - len(wrong)} of {demo.refusals_planned} bad submissions refused as they must be"
    lines: list[RenderableType] = [table, Text(counts, style="red" if wrong else "")]
    lines += [Text(f"  {refusal}", style="red") for refusal in wrong]
    if demo.aggregation.runs:
        lines += [Text("\naggregation mode", style="bold"), aggregation_view(demo.aggregation)]
    lines += [Text(f"error: {failure}", style="red") for failure in demo.failures.found]
    if not is_over:
        lines.append(Text(f"… {demo.step}", style="dim"))
    return Group(Text("fast mode", style="bold"), *lines)


def _cells(row: ProofRow) -> list[RenderableType]:
    proof, place = row.proof, None if row.inclusion is None else row.inclusion.proof
    return [
        proof.file,
        f"{proof.data.proving_system.wire_name} {proof.mode}",
        "" if place is None else f"0x{place.batch_root.hex()[:8]}…",
        "" if place is None else str(place.index),
        Text("yes" if row.is_verified else row.state, style=_STYLES.get(row.state, "red")),
        "" if row.seconds is None else f"{row.seconds:.1f}",
    ]


def summary(demo: Demo) -> RenderableType:
    """The last lines."""
    gas = demo.gas
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_row(
        "fast mode: operators",
        f"{OPERATORS} registered, {OPERATORS - 1} running (operator-{SWITCHED_OFF} is off)",
    )
    if gas is not None:
        facts.add_row(
            "fast mode: gas",
            f"task {gas.create_task:,}, answer {gas.respond:,} with {gas.non_signers} non-signer(s)",
        )
    took, refused = answer(demo.consumer_accepts), answer(demo.consumer_refuses)
    facts.add_row("fast mode: contract", f"takes its program's proof: {took}; refuses another's: {refused}")
    facts.add_row("seconds", f"{demo.seconds:.0f} in all")
    verdict = (
        Text("everything held", style="bold green")
        if demo.has_held
        else Text("NOT everything held", style="bold red")
    )
    tables = (view(demo, is_over=True), aggregation_summary(demo.aggregation))
    return Group(*tables, facts, verdict)


def report(demo: Demo) -> Mapping[str, object]:
    """Content of report.json."""
    gas = demo.gas
    return {
        "ok": demo.has_held,
        "seconds": round(demo.seconds, 1),
        "fast_mode": {
            "operators": OPERATORS,
            "operators_online": OPERATORS - 1,
            "proofs": [_proof(row) for row in demo.rows],
            "refused": [{"file": refusal.file, "code": refusal.code} for refusal in demo.refusals],
            "consumer_contract": {
                "accepts": demo.consumer_accepts,
                "refuses_other_program": demo.consumer_refuses,
            },
            "gas": None
            if gas is None
            else {"create_task": gas.create_task, "respond": gas.respond, "non_signers": gas.non_signers},
        },
        "aggregation": aggregation_report(demo.aggregation),
        "errors": [
            *(
                {"where": each.where, "code": each.code, "reason": each.reason}
                for each in demo.failures.found
            ),
            *(
                {"where": each.file, "code": WRONG_OUTCOME, "reason": f"{each.code} {each.reason}".strip()}
                for each in demo.wrong_outcomes()
            ),
        ],
    }


def _proof(row: ProofRow) -> dict[str, object]:
    place = None if row.inclusion is None else row.inclusion.proof
    return {
        "system": row.proof.data.proving_system.wire_name,
        "mode": row.proof.mode,
        "file": row.proof.file,
        "verified_on_chain": row.is_verified,
        "batch_root": None if place is None else "0x" + place.batch_root.hex(),
        "index": None if place is None else place.index,
        "seconds": None if row.seconds is None else round(row.seconds, 2),
    }


def write_report(demo: Demo, path: Path) -> None:
    """Writes report.json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report(demo), indent=2) + "\n")
