"""How long the batch on its way has been so."""

from __future__ import annotations

import pytest

from aligned.batcher.batches import Batch
from aligned.batcher.watch import PostingWatch
from aligned.core.errors import DependencyError


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def batch(age_s: float, task_block: int | None = None) -> Batch:
    return Batch(1, bytes(32), "uploaded", True, 1, 1, 1, "x", (), 0, 0, task_block, None, None, age_s=age_s)


def test_watch__age_at_the_limit_and_above__ready_then_not() -> None:
    clock = Clock()
    watch = PostingWatch(900.0, clock)
    watch.check()
    watch.see(batch(880.0))
    clock.now += 20.0
    assert watch.age_s == 900.0
    watch.check()
    clock.now += 1.0
    with pytest.raises(DependencyError, match="901 s") as caught:
        watch.check()
    assert caught.value.code == "posting_stuck"


def test_watch__batch_reached_the_chain__ready_again() -> None:
    watch = PostingWatch(900.0, Clock())
    watch.see(batch(10_000.0))
    watch.see(None)
    assert watch.age_s == 0.0
    watch.check()


def test_watch__batch_left_the_chain__counts_from_then() -> None:
    clock = Clock()
    watch = PostingWatch(900.0, clock)
    watch.see(batch(10_000.0, task_block=7))
    watch.check()
    clock.now += 901.0
    watch.see(batch(10_901.0, task_block=7))
    with pytest.raises(DependencyError):
        watch.check()
