"""Whether the payment service takes this batcher's transactions: one that is not in office must not sign a receipt."""

from __future__ import annotations

from typing import Final

import structlog

from aligned.chain.client import hex_bytes
from aligned.chain.contracts import PaymentService
from aligned.core.errors import DependencyError, ProtocolError

log = structlog.get_logger(__name__)
NOT_IN_OFFICE: Final = "batcher_not_in_office"
WRONG_SERVICE_MANAGER: Final = "wrong_service_manager"


class Office:
    """The batcher's place in its payment service.

    Args:
        manager: the service manager of the deployment file, 20 bytes.
        account: the batcher's address, 20 bytes.
    """

    def __init__(self, payments: PaymentService, manager: bytes, account: bytes) -> None:
        self._payments = payments
        self._manager = manager
        self._account = account

    async def step(self) -> bool:
        """Looks again; governance may have put another batcher in office.

        Raises:
            ProtocolError: batcher_not_in_office, wrong_service_manager: nothing that it signs could be kept.
        """
        in_office = await self._payments.batcher()
        service = hex_bytes(self._payments.address)
        if in_office != self._account:
            raise ProtocolError(NOT_IN_OFFICE, await self._advice(service, in_office))
        manager = await self._payments.service_manager()
        if manager != self._manager:
            text = (
                f"payment service {service} posts to {hex_bytes(manager)}, the deployment file says"
                f" {hex_bytes(self._manager)}: expected addresses of one deployment in chain.deployment_file"
            )
            raise ProtocolError(WRONG_SERVICE_MANAGER, text)
        return False

    async def check_at_start(self) -> None:
        """As `step`; while the chain cannot be asked the batcher starts, is not ready, and looks again.

        Raises:
            ProtocolError: as `step`.
        """
        try:
            await self.step()
        except DependencyError as error:
            log.warning("office_not_checked", code=error.code, reason=error.message)

    async def _advice(self, service: str, in_office: bytes) -> str:
        own = hex_bytes(self._account)
        text = f"payment service {service} takes batches from {hex_bytes(in_office)} only, this batcher's key is {own}"
        if await self._payments.pending_batcher() == self._account:
            return f"{text}, which was proposed: send acceptBatcher() from it first"
        return (
            f"{text}: give it the key of that account, or deploy a payment service of your own"
            " (`aligned deploy batcher`) and name its file in chain.deployment_file"
        )
