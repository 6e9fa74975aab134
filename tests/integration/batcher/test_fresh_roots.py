"""The same proofs again and again: every batch gets a new root, and none of them grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from aligned_native import merkle_root

from aligned.batcher import batches, queue
from aligned.batcher.accounts import AccountBook
from aligned.batcher.batches import Batch
from aligned.batcher.builder import BatchBuilder, BuildPolicy
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.rules import Bid
from aligned.batcher.selection import BatchLimits
from aligned.batcher.subscriptions import Subscriptions
from aligned.chain.contracts import BatchStatus
from aligned.core.commitment import commit
from aligned.core.merkle import verify_path
from aligned.core.types import VerificationData
from aligned.storage.postgres import Database
from aligned.verifiers.pool import VerifierPool
from aligned.wire.batch_file import decode_batch, encode_item, join_items
from tests.integration.batcher.clients import MAX_FEE_WEI, PAYMENT_SERVICE, HelloClient, User
from tests.integration.batcher.conftest import Running, eventually, running_batcher
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.proofs import small

FAR_FUTURE_S = 2**40
MANY = BatchLimits(1_000, 10**9)


class Line:
    """A builder over a real queue whose batches are on chain as soon as they are built."""

    def __init__(self, db: Database, chain: FakeChain, user: User, limits: BatchLimits) -> None:
        self._db, self._chain, self._user = db, chain, user
        self._nonce = 0
        self.limit(limits)

    def limit(self, limits: BatchLimits) -> None:
        services = Subscriptions(PAYMENT_SERVICE), BatcherMetrics()
        policy = BuildPolicy(limits, frozenset(), 32, 100)
        accounts = AccountBook(self._chain, count().__next__)
        self._builder = BatchBuilder(self._db, self._chain, accounts, *services, PAYMENT_SERVICE, policy)

    async def put(self, *proofs: VerificationData) -> None:
        async with self._db.transaction() as conn:
            for data in proofs:
                item = encode_item(data)
                bid = Bid(self._nonce, commit(data).leaf, MAX_FEE_WEI, len(item))
                system = data.proving_system
                await queue.insert(conn, self._user.address, bid, system, item, FAR_FUTURE_S, bytes(65))
                self._nonce += 1

    async def build(self) -> tuple[Batch, list[VerificationData]] | None:
        """The next batch with the elements of its file, which stand for its root."""
        if not await self._builder.build(self._chain.prices):
            return None
        async with self._db.transaction() as conn:
            batch = await batches.unposted(conn)
            assert batch is not None
            file = join_items(await batches.items(conn, batch.number))
            members = await queue.by_batch(conn, batch.number)
            await conn.execute("UPDATE batch SET state = 'posted' WHERE number = %s", (batch.number,))
        elements = decode_batch(file, 10_000)
        leaves = [commit(data).leaf for data in elements]
        assert batch.root == merkle_root(b"".join(leaves))
        for member in members:
            assert member.batch_index is not None and member.path is not None
            assert leaves[member.batch_index] == member.leaf
            assert verify_path(member.leaf, member.batch_index, member.path, batch.root)
        account = self._chain.accounts[self._user.address]
        self._chain.accounts[self._user.address] = replace(account, nonce=account.nonce + len(members))
        return batch, elements

    async def built(self, *proofs: VerificationData) -> tuple[Batch, list[VerificationData]]:
        await self.put(*proofs)
        found = await self.build()
        assert found is not None
        return found


@pytest.fixture
def rich(chain: FakeChain) -> User:
    user = User(0xA11CE)
    chain.fund(user.address, 10**24)
    return user


def without_generator(data: VerificationData) -> VerificationData:
    return replace(data, proof_generator_addr=bytes(20))


async def test_root__one_proof_fifty_times__one_filler_at_most(
    db: Database, chain: FakeChain, rich: User
) -> None:
    line, roots = Line(db, chain, rich, MANY), set()
    for _ in range(50):
        batch, elements = await line.built(small())
        roots.add(batch.root)
        assert len(elements) <= 2
        assert {without_generator(data) for data in elements} == {without_generator(small())}
        assert batch.proof_count == 1
    assert len(roots) == 50


@pytest.mark.parametrize(
    "sets",
    [
        [[0, 1], [1, 0]],
        [[0], [0, 0], [0, 0, 0]],
        [[0, 1, 0, 1], [0, 1], [1]],
        [list(range(9))],
    ],
)
async def test_root__sets_of_proofs_in_turn__one_filler_at_most(
    db: Database, chain: FakeChain, rich: User, sets: Sequence[Sequence[int]]
) -> None:
    line, roots = Line(db, chain, rich, MANY), set()
    for turn in range(24):
        salts = sets[turn % len(sets)]
        batch, elements = await line.built(*(small(salt) for salt in salts))
        roots.add(batch.root)
        assert len(elements) <= len(salts) + 1
        assert batch.proof_count == len(salts)
    assert len(roots) == 24


async def test_root__chain_knows_roots_that_the_database_lost__another_filler(
    db: Database, chain: FakeChain, rich: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line(db, chain, rich, MANY)
    seen: list[bytes] = []

    async def status(root: bytes) -> BatchStatus:
        seen.append(root)
        return BatchStatus.UNKNOWN if len(seen) > 5 else BatchStatus.EXPIRED

    monkeypatch.setattr(chain, "task_status", status)
    batch, elements = await line.built(small())
    assert len(elements) == 2
    assert batch.root == seen[-1]
    assert len(set(seen)) == 6


@pytest.mark.parametrize("narrow", [BatchLimits(1, 10**9), BatchLimits(9, len(encode_item(small())) + 99)])
async def test_limits__filler_does_not_fit__proof_waits(
    db: Database, chain: FakeChain, rich: User, narrow: BatchLimits
) -> None:
    line = Line(db, chain, rich, narrow)
    await line.built(small())
    await line.put(small())
    assert await line.build() is None
    line.limit(MANY)
    found = await line.build()
    assert found is not None
    assert len(found[1]) == 2


async def test_limits__full_batch_again__fewer_members_leave_room_for_the_filler(
    db: Database, chain: FakeChain, rich: User
) -> None:
    line = Line(db, chain, rich, BatchLimits(2, 10**9))
    for _ in range(6):
        await line.put(small(), small())
    lengths = []
    while (found := await line.build()) is not None:
        lengths.append((found[0].proof_count, len(found[1])))
    assert sum(proofs for proofs, _ in lengths) == 12
    assert all(items <= 2 for _, items in lengths)


async def test_service__same_proof_again_and_again__all_included_and_files_stay_small(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path
) -> None:
    size_bytes = len(encode_item(small()))
    async with (
        running_batcher(db, chain, pool, tmp_path, batch_interval_blocks=1) as batcher,
        HelloClient(batcher.url) as client,
    ):
        for nonce in range(6):
            await client.send(user.message(small(), nonce))
            included = await client.next("BatchInclusionData")
            assert included["nonce"] == nonce
        await eventually(lambda: _has_tasks(batcher, 6))
        page = (await batcher.get(f"/v1/proofs/0x{commit(small()).leaf.hex()}")).json()
    assert sorted(entry["nonce"] for entry in page["submissions"]) == list(range(6))
    assert all(file.stat().st_size <= 2 * size_bytes + 9 for file in tmp_path.glob("*.cbor"))
    assert all(len(sent.task.submitters) == 1 for sent in chain.sent)


async def _has_tasks(batcher: Running, count: int) -> bool:
    return len(batcher.chain.sent) == count
