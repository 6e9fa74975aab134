"""Who paid for a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def charged(submitters: Sequence[bytes], skipped: Sequence[bytes]) -> list[bytes]:
    """The submitters that paid: one entry less for each skip."""
    left = Counter(skipped)
    paid: list[bytes] = []
    for submitter in submitters:
        if left[submitter]:
            left[submitter] -= 1
        else:
            paid.append(submitter)
    return paid
