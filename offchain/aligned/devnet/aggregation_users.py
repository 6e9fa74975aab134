"""The demo's users of aggregation mode, and the three ways to get a quota: a transfer, a deposit, a grant."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from eth_account import Account
from eth_account.signers.local import LocalAccount

from aligned.chain.contracts import AggregationPayments
from aligned.devnet.cluster import Cluster
from aligned.devnet.keys import DEPLOYER, FIRST_USER
from aligned.sdk.accounts import devnet_account
from aligned.sdk.aggregation import AggregationClient
from aligned.sdk.deadline import Deadline
from aligned.sdk.wallet import Wallet

PAYER: Final = FIRST_USER + 3
LATE_PAYER: Final = FIRST_USER + 4
_VANDAL_PROOFS = 1_000
_DAY_S = 86_400
_QUOTA_TIMEOUT_S = 60.0


class Users:
    """Opened clients.

    Attributes:
        payer: has paid twice, once by a plain transfer.
        granted: paid nothing; governance granted it an exact number of proofs.
        vandal: has a quota, and sends nothing but rubbish.
        late_payer: pays once, in a block that leaves the chain.
        outsider: never paid.
    """

    payer: AggregationClient
    granted: AggregationClient
    vandal: AggregationClient
    late_payer: AggregationClient
    outsider: AggregationClient

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stack = AsyncExitStack()
        fresh = [Account.create() for _ in range(3)]
        self.accounts: dict[str, LocalAccount] = {
            "payer": devnet_account(PAYER),
            "late_payer": devnet_account(LATE_PAYER),
            **dict(zip(("granted", "vandal", "outsider"), fresh, strict=True)),
        }

    async def __aenter__(self) -> Self:
        for name, account in self.accounts.items():
            client = AggregationClient(self._cluster.aggregation, account)
            setattr(self, name, await self._stack.enter_async_context(client))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def address(self, name: str) -> bytes:
        """20 bytes."""
        return bytes.fromhex(self.accounts[name].address[2:])

    async def get_quota(self, granted: int) -> None:
        """Pays and grants, and waits until the gateway knows; `granted` gets exactly so many proofs."""
        terms = await self.payer.terms()
        payments = AggregationPayments(self._cluster.chain, self._cluster.aggregation.payment_service)
        wallet = Wallet(self._cluster.chain, self.accounts["payer"])
        await wallet.send(payments.address, value_wei=terms.price_wei)
        await self.payer.deposit()
        governance = Wallet(self._cluster.chain, devnet_account(DEPLOYER))
        for name, proofs in (("granted", granted), ("vandal", _VANDAL_PROOFS)):
            until_s = int(time.time()) + _DAY_S
            await governance.send(
                payments.address, payments.encode_grant([self.address(name)], proofs, until_s)
            )
        for name, proofs in (("granted", granted), ("vandal", _VANDAL_PROOFS), ("payer", 2 * terms.proofs)):
            await self.until_quota(name, proofs)

    async def until_quota(self, name: str, proofs: int) -> None:
        """Waits until the gateway says that a user may submit so many.

        Raises:
            DependencyError: timeout.
        """
        client, waiting = self.client(name), Deadline(_QUOTA_TIMEOUT_S)
        while (remaining := (await client.quota()).remaining) != proofs:
            await waiting.pause(f"{name} has a quota of {remaining}, wanted {proofs}")

    def client(self, name: str) -> AggregationClient:
        """The client of a user."""
        found: AggregationClient = getattr(self, name)
        return found
