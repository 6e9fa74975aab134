"""Times of the day."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.proof_aggregator.schedule import last_time_s, seconds_of_day

DAY_S = 86_400


@pytest.mark.parametrize(
    ("text", "seconds"), [("", None), ("00:00", 0), ("07:05", 25_500), ("23:59", 86_340)]
)
def test_seconds_of_day__as_written__is_that_time(text: str, seconds: int | None) -> None:
    assert seconds_of_day(text) == seconds


@given(st.integers(0, DAY_S - 1), st.floats(DAY_S, 2e9))
def test_last_time__any_moment__is_at_most_a_day_ago_and_at_that_time(at_s: int, now_s: float) -> None:
    last_s = last_time_s(at_s, now_s)
    assert now_s - DAY_S < last_s + 1e-3
    assert last_s <= now_s
    assert min((last_s - at_s) % DAY_S, (at_s - last_s) % DAY_S) < 1e-3


def test_last_time__that_very_second__is_now() -> None:
    assert last_time_s(60, 10 * DAY_S + 60.0) == 10 * DAY_S + 60.0
    assert last_time_s(60, 10 * DAY_S + 59.0) == 9 * DAY_S + 60.0
