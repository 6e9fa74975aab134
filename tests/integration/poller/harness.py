"""A chain with the payment service, people who pay, and pollers that run in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils import to_checksum_address

from aligned.chain.abi import contract_abi
from aligned.devnet.senders import Web3Sender
from aligned.payments_poller import service
from aligned.settings import Settings
from aligned.storage.postgres import Database
from tests.integration.rig import Rig
from tests.integration.votes import eventually

_TIP_WEI = 10**9
_GAS = 300_000


class Payments:
    """Transactions of the payment service, and what the database says of them."""

    def __init__(self, rig: Rig, db: Database) -> None:
        self.rig = rig
        self.db = db
        self.address = rig.deployment.aggregation_payment_service
        self._abi = contract_abi("AggregationModePaymentService")
        self.price_wei = self._read("amountToPayInWei")
        self.proofs = self._read("proofsPerPeriod")

    def set_price(self, price_wei: int) -> None:
        """Price of later payments."""
        names = ("proofsPerPeriod", "paymentExpirationTimeSeconds", "maxSubscriptionTimeAhead")
        self.as_admin("setTerms", price_wei, *(self._read(name) for name in names))
        self.price_wei = price_wei

    def pay(self, account: LocalAccount) -> None:
        """A plain transfer, mined at once."""
        self.rig.sender(account).transact(self.address, b"", self.price_wei)

    def signed(self, account: LocalAccount, tip_wei: int = _TIP_WEI) -> str:
        """A signed payment that is not sent."""
        fields: dict[str, Any] = {
            "to": self.address,
            "value": self.price_wei,
            "nonce": self.rig.node.nonce(account.address),
            "gas": _GAS,
            # Anvil orders by this one.
            "maxFeePerGas": 10**11 + tip_wei,
            "maxPriorityFeePerGas": tip_wei,
            "chainId": self.rig.deployment.chain_id,
        }
        return "0x" + bytes(account.sign_transaction(fields).raw_transaction).hex()

    def send(self, *raw: str) -> None:
        """Signed payments in one block."""
        self.rig.node.rpc("evm_setAutomine", False)
        for item in raw:
            self.rig.node.rpc("eth_sendRawTransaction", item)
        self.rig.node.mine()
        self.rig.node.rpc("evm_setAutomine", True)

    def as_admin(self, function: str, *args: object) -> None:
        """A restricted call; the deployer holds every role."""
        sender = Web3Sender(self.rig.web3, self.rig.web3.eth.accounts[0])
        sender.transact(self.address, self._abi.functions[function].encode(*args))

    def grant(self, users: Sequence[LocalAccount], proofs: int) -> None:
        """One transaction with an event for each of `users`."""
        until = self.rig.web3.eth.get_block("latest")["timestamp"] + 1_000
        self.as_admin("grant", [bytes.fromhex(user.address[2:]) for user in users], proofs, until)

    def expiry(self, account: LocalAccount) -> int:
        """What the contract says about it, Unix seconds."""
        return self._read("subscribedAddresses", account.address)

    async def rows(self, account: LocalAccount) -> list[tuple[int, int, bool]]:
        """(proofs, used, orphaned) of its quotas, oldest first."""
        found = await self.query(
            "SELECT proofs, used, orphaned FROM quotas WHERE address = %s ORDER BY id",
            bytes.fromhex(account.address[2:]),
        )
        return [(row["proofs"], row["used"], row["orphaned"]) for row in found]

    async def reaches(self, account: LocalAccount, rows: list[tuple[int, int, bool]]) -> None:
        """Waits until its quotas are these."""

        async def there() -> bool:
            return await self.rows(account) == rows

        await eventually(there, lambda: f"quotas {rows}")

    async def query(self, sql: str, *args: object) -> list[dict[str, Any]]:
        """Rows of a statement."""
        async with self.db.transaction() as conn:
            return list(await (await conn.execute(sql, args)).fetchall())

    async def handled(self, block: int) -> None:
        """Waits until a poller has read up to this block, and no further."""

        async def there() -> bool:
            rows = await self.query("SELECT next_block FROM chain_cursor WHERE name = 'payments'")
            return [row["next_block"] for row in rows] == [block + 1]

        await eventually(there, lambda: f"block {block}")

    async def read_to_the_head(self) -> None:
        """Waits until a poller has handled the newest block."""
        await self.handled(self.rig.web3.eth.block_number)

    def _read(self, name: str, *args: object) -> int:
        function = self._abi.functions[name]
        answer = self.rig.web3.eth.call(
            {"to": to_checksum_address(self.address), "data": function.encode(*args)}
        )
        return int(function.decode(bytes(answer))[0])


@asynccontextmanager
async def running_poller(settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    """A poller until the block ends."""
    stop = asyncio.Event()
    running = asyncio.create_task(service.run(settings, stop))
    try:
        yield running
    finally:
        stop.set()
        await running


def with_chain(settings: Settings, **changes: Any) -> Settings:
    """The same with other settings of the chain."""
    return settings.model_copy(update={"chain": settings.chain.model_copy(update=changes)})
