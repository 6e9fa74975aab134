"""Readiness says the truth about the chain, and about payments that are not seen any more."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from aligned.chain.types import Block
from aligned.core.errors import DependencyError
from aligned.gateway.readiness import Readiness
from aligned.gateway.service import Gateway
from aligned.storage.postgres import Database

pytestmark = pytest.mark.asyncio(loop_scope="module")
_NOW_S = 1_900_000_000
_MAX_BEHIND_S = 180.0


@dataclass(slots=True)
class Node:
    """What the chain says.

    Attributes:
        wrong: what its head is refused for.
        block_age_s: of any block.
    """

    wrong: DependencyError | None = None
    block_age_s: int = 12
    asked: list[str] = field(default_factory=list)

    async def check_head(self) -> None:
        self.asked.append("head")
        if self.wrong is not None:
            raise self.wrong

    async def get_block(self, number: int) -> Block:
        self.asked.append(f"block {number}")
        return Block(
            number=number,
            hash=bytes(32),
            parent_hash=bytes(32),
            timestamp=_NOW_S - self.block_age_s,
            base_fee_wei=1,
        )


@pytest_asyncio.fixture(loop_scope="module")
async def cursor(db: Database) -> AsyncIterator[None]:
    """A poller that just read block 99."""
    async with db.transaction() as conn:
        await conn.execute(
            "INSERT INTO chain_cursor (name, chain_id, next_block) VALUES ('payments', 1, 100)"
        )
    yield
    async with db.transaction() as conn:
        await conn.execute("DELETE FROM chain_cursor")


def _readiness(gateway: Gateway, node: Any, max_behind_s: float | None = _MAX_BEHIND_S) -> Readiness:
    context = gateway._context
    return Readiness(context.stores, context.pool, node, max_behind_s, clock=lambda: _NOW_S)


@pytest.mark.usefixtures("cursor")
async def test_ready__payments_read_to_the_head__says_how_old_it_is(idle: Gateway) -> None:
    node = Node()
    assert await _readiness(idle, node).check() == {"chain": "ok", "payments_behind_s": 12}
    assert node.asked == ["head", "block 99"]


@pytest.mark.usefixtures("cursor")
@pytest.mark.parametrize("code", ["head_frozen", "wrong_chain"])
async def test_ready__head_frozen_or_another_chain__not_ready(idle: Gateway, code: str) -> None:
    with pytest.raises(DependencyError) as refused:
        await _readiness(idle, Node(DependencyError(code, "as the chain's client says"))).check()
    assert refused.value.code == code


@pytest.mark.usefixtures("cursor")
async def test_ready__poller_is_behind_by_its_blocks_time__not_ready(idle: Gateway) -> None:
    with pytest.raises(DependencyError, match="payments_behind: payments are read to a block 181 s old"):
        await _readiness(idle, Node(block_age_s=181)).check()
    assert (await _readiness(idle, Node(block_age_s=180)).check())["payments_behind_s"] == 180


@pytest.mark.usefixtures("cursor")
async def test_ready__chain_away__ready_until_the_poller_stood_still_too_long(
    idle: Gateway, db: Database
) -> None:
    gone = DependencyError("chain_unavailable", "no answer")
    assert (await _readiness(idle, Node(gone)).check())["chain"] == "chain_unavailable"
    async with db.transaction() as conn:
        await conn.execute("UPDATE chain_cursor SET updated_at = now() - interval '10 minutes'")
    with pytest.raises(DependencyError, match="payments_behind"):
        await _readiness(idle, Node(gone)).check()


@pytest.mark.usefixtures("cursor")
async def test_not_ready__payments_behind_and_then_not__its_metric_says_so(
    idle: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age_s, shown in ((181, ['{code="payments_behind"} 1.0']), (12, [])):
        monkeypatch.setattr(idle, "_readiness", _readiness(idle, Node(block_age_s=age_s)))
        await idle._look_at_readiness()
        text = idle._metrics.render().decode()
        assert re.findall(r"^aligned_gateway_not_ready(.*)$", text, re.MULTILINE) == shown


async def test_ready__no_poller_yet__not_ready_but_on_a_devnet(idle: Gateway) -> None:
    with pytest.raises(DependencyError, match="start one on this database"):
        await _readiness(idle, Node()).check()
    assert await _readiness(idle, Node(), max_behind_s=None).check() == {"chain": "ok"}


@pytest.mark.usefixtures("cursor")
@pytest.mark.parametrize("max_behind_s", [None, _MAX_BEHIND_S])
async def test_ready__asked_by_anybody_again_and_again__chain_is_asked_once(
    idle: Gateway, max_behind_s: float | None
) -> None:
    node = Node()
    readiness = _readiness(idle, node, max_behind_s)
    began = time.monotonic()
    for _ in range(20):
        await readiness.check()
    for asked in set(node.asked):
        assert node.asked.count(asked) <= 1 + (time.monotonic() - began) / 5


@pytest.mark.usefixtures("cursor")
@pytest.mark.parametrize("how", ["error", "silence"])
async def test_ready__chain_ends_between_its_head_and_a_block__ready_as_without_it(
    idle: Gateway, how: str
) -> None:
    class Ending(Node):
        async def get_block(self, number: int) -> Block:
            if how == "silence":
                await asyncio.Event().wait()
            raise DependencyError("chain_unavailable", f"block {number}: no answer")

    code = {"error": "chain_unavailable", "silence": "timeout"}[how]
    assert (await _readiness(idle, Ending()).check())["chain"] == code
