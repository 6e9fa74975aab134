"""Token buckets."""

from __future__ import annotations

from aligned.limits import RateLimiter


class Clock:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rate_limiter__burst_used_up__says_how_long_to_wait() -> None:
    clock = Clock()
    limiter = RateLimiter(2.0, 3, clock=clock)
    assert [limiter.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    clock.now += 0.5
    assert limiter.take("a") == 0.0


def test_rate_limiter__refused_requests__do_not_lengthen_the_wait() -> None:
    clock = Clock()
    limiter = RateLimiter(1.0, 1, clock=clock)
    limiter.take("a")
    waits = [limiter.take("a") for _ in range(100)]
    assert waits == [1.0] * 100


def test_rate_limiter__other_key__has_its_own_bucket() -> None:
    limiter = RateLimiter(1.0, 1, clock=Clock())
    assert limiter.take("a") == 0.0
    assert limiter.take("b") == 0.0


def test_rate_limiter__long_pause__fills_no_further_than_the_burst() -> None:
    clock = Clock()
    limiter = RateLimiter(1.0, 2, clock=clock)
    limiter.take("a")
    clock.now += 1_000
    assert [limiter.take("a") > 0 for _ in range(3)] == [False, False, True]


def test_rate_limiter__many_keys__memory_stays_bounded() -> None:
    limiter = RateLimiter(1.0, 1, max_keys=10, clock=Clock())
    for number in range(1_000):
        limiter.take(number)
    assert len(limiter._buckets) == 10
