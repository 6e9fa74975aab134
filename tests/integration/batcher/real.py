"""The batcher's loops over the real contracts on anvil, with a miner that the test holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from eth_account import Account

from aligned.batcher.chain_adapter import ContractTaskChain
from aligned.chain.client import ChainClient
from aligned.chain.contracts import PaymentService, ServiceManager
from aligned.chain.fees import Caps
from aligned.chain.sender import TxSender
from aligned.storage.postgres import Database
from tests.integration.batcher.bench import Loops
from tests.integration.batcher.clients import User
from tests.integration.rig import Rig

# Anvil's first account: it deployed the contracts, so it is the batcher in office.
BATCHER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
GWEI = 10**9
# A step that waits for the chain has a deadline of its own; several of them together on a busy machine have this one.
_DEADLINE_S = 240.0
ETH = 10**18


async def broken_off(task: asyncio.Task[None]) -> None:
    """Cancels a task, which must end by it."""
    task.cancel()
    done, _ = await asyncio.wait((task,), timeout=_DEADLINE_S)
    assert done, f"{task.get_coro()} does not end when it is cancelled"


class RealLoops(Loops):
    """Loops with a sender of their own."""

    def __init__(
        self,
        rig: Rig,
        db: Database,
        client: ChainClient,
        folder: Path,
        *,
        give_up_after_s: float = 60.0,
        min_percent: int = 0,
    ) -> None:
        self.rig = rig
        self.payments = PaymentService(client, rig.deployment.payment_service)
        manager = ServiceManager(client, rig.deployment.service_manager)
        sender = TxSender(
            db,
            client,
            Account.from_key(BATCHER_KEY),
            caps=Caps(500 * GWEI),
            bump_after_s=0.1,
            poll_s=0.05,
        )
        self.chain = ContractTaskChain(client, self.payments, manager, sender, task_timeout_s=60.0)
        super().__init__(
            db,
            self.chain,
            folder,
            self.payments.address,
            give_up_after_s=give_up_after_s,
            min_percent=min_percent,
        )

    async def post(self) -> None:
        """Steps until nothing is left to do at once."""
        async with asyncio.timeout(_DEADLINE_S):
            await super().post()

    async def settle(self) -> None:
        """One page."""
        async with asyncio.timeout(_DEADLINE_S):
            await super().settle()

    async def mine(self, blocks: int = 1) -> None:
        """Blocks of what is pending."""
        await asyncio.to_thread(self.rig.node.mine, blocks)

    async def rpc(self, method: str, *params: object) -> object:
        """A call of the node."""
        return await asyncio.to_thread(self.rig.node.rpc, method, *params)

    @asynccontextmanager
    async def mining(self, base_fee_gwei: int | None = None) -> AsyncIterator[None]:
        """Blocks keep coming, if wanted at one base fee."""

        async def mine() -> None:
            while True:
                if base_fee_gwei is not None:
                    await self.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee_gwei * GWEI))
                await self.mine()
                await asyncio.sleep(0.1)

        task = asyncio.create_task(mine())
        try:
            yield
        finally:
            await broken_off(task)

    async def posted_for(self, user: User, *nonces: int) -> bytes:
        """Root of a batch of new proofs, on chain."""
        await self.put(user, *nonces, max_fee_wei=ETH // 20)
        async with self.mining():
            await self.post()
        batch = (await self.batches())[-1]
        assert batch.state == "posted"
        return batch.root

    async def follow(self, blocks: int = 1) -> None:
        """Some blocks, each of them looked at."""
        async with asyncio.timeout(_DEADLINE_S):
            for _ in range(blocks):
                await self.mine()
                await self.market.refresh()
                await self.follower.step()

    async def until(self, check: Callable[[], Awaitable[bool]]) -> None:
        """Waits for something."""
        for _ in range(600):
            if await check():
                return
            await asyncio.sleep(0.05)
        raise AssertionError("it did not come true")
