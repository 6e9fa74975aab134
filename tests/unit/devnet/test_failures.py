"""Errors of the demo: kept, logged, shown and reported; a question that was not asked is neither yes nor no."""

from __future__ import annotations

import asyncio
import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from aligned.core.errors import DependencyError, ProtocolError
from aligned.devnet.cases import Refusal
from aligned.devnet.demo import Demo
from aligned.devnet.demo_view import WRONG_OUTCOME, report, summary
from aligned.devnet.failures import UNEXPECTED, Failures, all_of, answer
from tests.unit.devnet.test_aggregation_report import good_demo

UNDERPRICED = DependencyError("chain_unavailable", "replacement transaction underpriced")


async def failing(error: Exception) -> int:
    raise error


async def working() -> int:
    return 7


async def test_attempt__step_fails__none_and_the_error_with_its_place() -> None:
    failures = Failures()
    assert await failures.attempt("risc0: example contract", failing(UNDERPRICED)) is None
    assert await failures.attempt("another", working()) == 7
    assert [str(each) for each in failures.found] == [
        "risc0: example contract: chain_unavailable: replacement transaction underpriced"
    ]


async def test_attempt__error_that_is_none_of_ours__raised() -> None:
    with pytest.raises(KeyError):
        await Failures().attempt("a bug", failing(KeyError("x")))


def test_add__with_a_log_file__one_line_of_json_with_the_traceback(tmp_path: Path) -> None:
    failures = Failures(tmp_path / "logs" / "demo.log")
    failures.add("here", UNDERPRICED)
    failures.add("there", KeyError("x"))
    lines = [json.loads(line) for line in (tmp_path / "logs" / "demo.log").read_text().splitlines()]
    assert [(line["where"], line["code"]) for line in lines] == [
        ("here", "chain_unavailable"),
        ("there", UNEXPECTED),
    ]
    assert "underpriced" in lines[0]["trace"][-1]


def test_add__the_same_error_on_its_way_up__kept_once() -> None:
    failures = Failures()
    failures.add("in a step", UNDERPRICED)
    failures.add("in the run", UNDERPRICED)
    assert [each.where for each in failures.found] == ["in a step"]


async def test_all_of__one_step_fails__its_error_is_raised_and_nothing_runs_on() -> None:
    ended: list[str] = []

    async def endless() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("endless")
        return 0

    with pytest.raises(ProtocolError) as error:
        await all_of(endless(), failing(ProtocolError("first", "it")))
    assert error.value.code == "first"
    assert ended == ["endless"]


async def test_all_of__two_steps_fail__the_second_is_a_note_of_the_first() -> None:
    with pytest.raises(ProtocolError) as error:
        await all_of(failing(ProtocolError("first", "it")), failing(ProtocolError("second", "it")))
    assert "second" in error.value.__notes__[0]


def test_demo__everything_right_but_one_error__has_not_held_and_says_why() -> None:
    aggregation = good_demo()
    assert aggregation.has_held
    aggregation.failures.add("risc0: example contract", UNDERPRICED)
    assert not aggregation.has_held


def test_report__error_of_the_second_half__in_errors_and_in_the_table() -> None:
    demo = Demo()
    demo.aggregation.failures.add("risc0: example contract", UNDERPRICED)
    assert report(demo)["errors"] == [
        {
            "where": "risc0: example contract",
            "code": "chain_unavailable",
            "reason": "replacement transaction underpriced",
        }
    ]
    shown = StringIO()
    Console(file=shown, width=200).print(summary(demo))
    assert (
        "error: risc0: example contract: chain_unavailable: replacement transaction underpriced"
        in shown.getvalue()
    )
    assert "NOT everything held" in shown.getvalue()


def test_report__refused_for_another_reason__in_errors_with_what_was_said() -> None:
    demo = Demo()
    wrong = Refusal("sp1/fib.proof: empty", "unsupported_proof_kind", is_right=False, reason="Core proofs")
    demo.aggregation.refusals += [wrong, Refusal("fine", "empty_proof", is_right=True)]
    assert report(demo)["errors"] == [
        {
            "where": "sp1/fib.proof: empty",
            "code": WRONG_OUTCOME,
            "reason": "unsupported_proof_kind Core proofs",
        }
    ]


def test_summary__contract_was_never_shown_a_proof__not_asked() -> None:
    demo, shown = Demo(), StringIO()
    Console(file=shown, width=200).print(summary(demo))
    assert "takes its program's proof: not asked; refuses another's: not asked" in shown.getvalue()
    assert report(demo)["fast_mode"]["consumer_contract"] == {  # type: ignore[index]
        "accepts": None,
        "refuses_other_program": None,
    }


@pytest.mark.parametrize(("value", "text"), [(None, "not asked"), (True, "yes"), (False, "NO")])
def test_answer__three_states__three_words(value: bool | None, text: str) -> None:
    assert answer(value) == text
