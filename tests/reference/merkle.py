"""The untagged tree of the fast mode, with every padded leaf really there."""

from __future__ import annotations

from tests.reference.leaf import keccak256


def levels(leaves: list[bytes]) -> list[list[bytes]]:
    """All levels, padded leaves first, the root's last."""
    padded = list(leaves)
    while len(padded) & (len(padded) - 1):
        padded.append(leaves[-1])
    result = [padded]
    while len(result[-1]) > 1:
        below = result[-1]
        result.append([keccak256(below[i] + below[i + 1]) for i in range(0, len(below), 2)])
    return result


def root(leaves: list[bytes]) -> bytes:
    """The root."""
    return levels(leaves)[-1][0]


def path(leaves: list[bytes], index: int) -> list[bytes]:
    """Siblings of a leaf, leaf level first."""
    siblings = []
    for level in levels(leaves)[:-1]:
        siblings.append(level[index + 1] if index % 2 == 0 else level[index - 1])
        index //= 2
    return siblings
