"""Nonces of proofs that are being verified: several of a sender at once, committed in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aligned.batcher.model import State
from aligned.batcher.rules import Bid, LiveEntry
from aligned.core.errors import NONCE_TOO_HIGH, ProtocolError


class Reservation:
    """A nonce that is taken until its proof is committed or refused."""

    def __init__(self, bid: Bid, before: Reservation | None) -> None:
        self.bid = bid
        self._before = before
        self._committed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def finish(self, committed: bool) -> None:
        """Lets those that wait for this one go on."""
        if not self._committed.done():
            self._committed.set_result(committed)

    @property
    def is_refused(self) -> bool:
        """Whether it ended without being committed."""
        return self._committed.done() and not self._committed.result()

    async def finished(self) -> bool:
        """Waits; whether it was committed."""
        return await asyncio.shield(self._committed)

    async def wait_for_turn(self) -> None:
        """Waits for the proof with the nonce before.

        Raises:
            ProtocolError: nonce_too_high, when that one was refused.
        """
        if self._before is not None:
            await self._before.finished()
        self.check_before()

    def check_before(self) -> None:
        """Refuses this one as soon as the one before is refused. Errors as `wait_for_turn`."""
        before = self._before
        if before is not None and before.is_refused:
            missing = before.bid.nonce
            raise ProtocolError(
                NONCE_TOO_HIGH, f"the proof with nonce {missing} was refused", expected=missing
            )


class Reservations:
    """The reservations of all senders, in this process."""

    def __init__(self) -> None:
        self._by_sender: dict[bytes, dict[int, Reservation]] = {}

    def of(self, sender: bytes, nonce: int) -> Reservation | None:
        """The reservation of a nonce."""
        return self._by_sender.get(sender, {}).get(nonce)

    def entries(self, sender: bytes) -> list[LiveEntry]:
        """The sender's reservations, as if they were queued already."""
        bids = (reservation.bid for reservation in self._by_sender.get(sender, {}).values())
        return [LiveEntry(b.nonce, b.leaf, b.max_fee_wei, b.size_bytes, State.QUEUED) for b in bids]

    @contextmanager
    def hold(self, sender: bytes, bid: Bid) -> Iterator[Reservation]:
        """Takes a free nonce until the block ends; a block that fails refuses the proof."""
        own = self._by_sender.setdefault(sender, {})
        reservation = Reservation(bid, own.get(bid.nonce - 1))
        own[bid.nonce] = reservation
        try:
            yield reservation
            reservation.finish(True)
        finally:
            reservation.finish(False)
            del own[bid.nonce]
            if not own:
                self._by_sender.pop(sender, None)
