"""A role's reader of events without its loop, for tests of single steps."""

from __future__ import annotations

from dataclasses import dataclass

from aligned.chain.cursor import EventCursor, Handler, ReorgHandler
from aligned.core.errors import DependencyError
from tests.integration.node import Anvil


@dataclass(frozen=True, slots=True)
class Reader:
    """A cursor with what the role does with its events."""

    cursor: EventCursor
    handle: Handler
    undo: ReorgHandler

    async def step(self) -> bool:
        """One step of the cursor."""
        return await self.cursor.step(self.handle, self.undo)

    async def to_the_head(self) -> None:
        """As often as it takes, through answers that do not fit together."""
        for _ in range(20):
            try:
                if not await self.step():
                    return
            except DependencyError:
                continue
        raise AssertionError("it does not come to an end")


def reorganise(node: Anvil, snapshot: object) -> None:
    """Back to the snapshot, and on to a block that the old chain did not have."""
    node.rpc("evm_revert", snapshot)
    node.rpc("evm_increaseTime", 100)
    node.mine()
