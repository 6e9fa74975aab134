"""What receipts would promise in vain is not promised: posting that is stuck, and a head that stands still."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database
from aligned.verifiers.pool import VerifierPool
from tests.integration.batcher.clients import HelloClient, User
from tests.integration.batcher.conftest import eventually, running_batcher
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.helpers import submit
from tests.integration.batcher.proofs import small


async def test_store__down_for_longer_than_allowed__not_ready_no_receipts_until_it_is_back(
    db: Database,
    chain: FakeChain,
    pool: VerifierPool,
    user: User,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put, is_down = ObjectStore.put, [True]

    async def fails(store: ObjectStore, key: str, data: bytes) -> None:
        if is_down:
            raise OSError("no space left")
        await put(store, key, data)

    monkeypatch.setattr(ObjectStore, "put", fails)
    async with (
        running_batcher(db, chain, pool, tmp_path, stuck_after_s=0.5) as batcher,
        HelloClient(batcher.url) as client,
    ):
        await submit(client, user, 0)

        async def is_stuck() -> bool:
            answer = await batcher.get("/readyz")
            return answer.status_code == 503 and answer.json()["code"] in ("posting_stuck", "internal_error")

        async def refuses() -> bool:
            reply = await client.ask(user.message(small(1), 1))
            while "Rejected" not in reply and "Receipt" not in reply:
                reply = await client.read()
            return "Rejected" in reply and reply["Rejected"]["code"] == "posting_stuck"

        await eventually(is_stuck)
        await eventually(lambda: _stuck_for(batcher.db))
        assert await refuses()
        is_down.clear()
        await client.next("BatchInclusionData")

        async def is_ready() -> bool:
            return (await batcher.get("/readyz")).status_code == 200

        await eventually(is_ready)
        await submit(client, user, 1)


async def _stuck_for(db: Database) -> bool:
    async with db.transaction() as conn:
        found = await conn.execute("SELECT now() - created_at > interval '1 second' AS old FROM batch")
        row = await found.fetchone()
    return bool(row and row["old"])


async def test_head__stands_still__not_ready(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path
) -> None:
    chain.set_market(timestamp_s=int(time.time()) + 10)
    async with (
        running_batcher(db, chain, pool, tmp_path, max_head_age_s=60.0) as batcher,
        HelloClient(batcher.url) as client,
    ):
        chain.set_market(timestamp_s=int(time.time()) - 61)

        async def is_frozen() -> bool:
            answer = await batcher.get("/readyz")
            return answer.status_code == 503 and answer.json()["code"] == "head_frozen"

        await eventually(is_frozen)
        assert await client.code(user.message(small(0), 0)) == "head_frozen"
        chain.set_market(timestamp_s=int(time.time()))

        async def is_ready() -> bool:
            return (await batcher.get("/readyz")).status_code == 200

        await eventually(is_ready)
        await submit(client, user, 0)
