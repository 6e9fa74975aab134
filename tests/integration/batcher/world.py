"""A fresh batcher for each try of a test that interferes with a step, and what must be true in the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aligned.chain.contracts import BatchStatus
from aligned.storage.postgres import Database
from tests.integration.batcher.bench import DEPTH, Bench
from tests.integration.batcher.clients import User
from tests.integration.batcher.fake_chain import FakeChain

REPOST_BLOCKS = 13


@dataclass
class World:
    """A fresh chain and an empty queue for each try."""

    db: Database
    folder: Path
    chain: FakeChain
    bench: Bench
    user: User

    @classmethod
    async def fresh(cls, db: Database, folder: Path) -> World:
        async with db.transaction() as conn:
            await conn.execute("TRUNCATE submission, batch RESTART IDENTITY CASCADE")
        chain, user = FakeChain(), User(0xA11CE)
        chain.fund(user.address)
        return cls(db, folder, chain, Bench(db, chain, folder), user)

    async def finish(self) -> None:
        """The next process takes everything to its end."""
        self.chain.refusal = None
        again = Bench(self.db, self.chain, self.folder)
        for _ in range(6):
            self.chain.mine()
            await again.post()
            for root, status in list(self.chain.statuses.items()):
                if status is BatchStatus.PENDING:
                    self.chain.answer(root)
            await again.follow(4)
        await again.follow(REPOST_BLOCKS)
        await again.post()
        for root, status in list(self.chain.statuses.items()):
            if status is BatchStatus.PENDING:
                self.chain.answer(root)
        await again.follow(2 * DEPTH + 4)
        await again.settle()
        self.chain.mine(DEPTH + 1)
        await again.settle()

    async def check(self, proofs: int) -> None:
        """All verified, charged once, and everything returned."""
        assert await self.bench.rows(self.user) == dict.fromkeys(range(proofs), "verified")
        on_chain = [sent for sent in self.chain.sent if sent.task.root in self.chain.statuses]
        assert len({sent.task.root for sent in on_chain}) == len(on_chain)
        assert sum(len(sent.task.submitters) for sent in on_chain) == proofs
        assert self.chain.accounts[self.user.address].nonce == proofs
        assert self.chain.held == {}
        roots = [done.root for done in self.chain.settled]
        assert sorted(set(roots)) == sorted(sent.task.root for sent in on_chain)
        async with self.db.transaction() as conn:
            found = await conn.execute(
                "SELECT state, final, settled FROM batch WHERE state <> 'failed' OR NOT final"
            )
            rows = await found.fetchall()
        assert {(row["state"], row["final"], row["settled"]) for row in rows} == {("verified", True, True)}
