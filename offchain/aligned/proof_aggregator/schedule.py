"""A time of the day in UTC, as settings name it."""

from __future__ import annotations

_DAY_S = 86_400


def seconds_of_day(daily_at: str) -> int | None:
    """Seconds after midnight of "HH:MM"; None for ""."""
    if not daily_at:
        return None
    hour, minute = daily_at.split(":")
    return int(hour) * 3_600 + int(minute) * 60


def last_time_s(at_s: int, now_s: float) -> float:
    """Unix time of the last moment, now included, that was `at_s` seconds after a midnight."""
    return now_s - (now_s - at_s) % _DAY_S
