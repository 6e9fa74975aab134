"""Proofs sent over a connection and not answered yet, found again by their nonce."""

from __future__ import annotations

from collections.abc import Sequence

from aligned.core.commitment import Commitments
from aligned.core.errors import MALFORMED_MESSAGE, AlignedError, ProtocolError
from aligned.sdk.frames import Accepted, Rejected
from aligned.sdk.models import Receipt


class Outstanding:
    """Answers to one burst with consecutive nonces.

    Args:
        commitments: of the proofs, in the order of their nonces.
    """

    def __init__(self, commitments: Sequence[Commitments], first_nonce: int, max_fee_wei: int) -> None:
        self._commitments = dict(enumerate(commitments, first_nonce))
        self._answers: dict[int, Receipt | AlignedError] = {}
        self._max_fee_wei = max_fee_wei

    @property
    def is_open(self) -> bool:
        """Whether an answer is missing."""
        return len(self._answers) < len(self._commitments)

    def accept(self, reply: Accepted) -> None:
        """Notes a receipt whose signature has been checked.

        Raises:
            ProtocolError: malformed_message: it is for no open submission of this burst.
        """
        if reply.nonce in self._answers:
            raise ProtocolError(MALFORMED_MESSAGE, f"a second receipt for nonce {reply.nonce}")
        self._answers[reply.nonce] = self.receipt(reply)

    def receipt(self, reply: Accepted) -> Receipt:
        """The receipt for a submission of this burst.

        Raises:
            ProtocolError: malformed_message: there is none with this nonce and leaf.
        """
        commitments = self._commitments.get(reply.nonce)
        if commitments is None or commitments.leaf != reply.leaf:
            raise ProtocolError(MALFORMED_MESSAGE, f"a receipt for nonce {reply.nonce}, which was not sent")
        return Receipt(
            commitments=commitments,
            sender=reply.sender,
            nonce=reply.nonce,
            max_fee_wei=self._max_fee_wei,
            deadline_s=reply.deadline_s,
            position=reply.position,
            signature=reply.signature,
        )

    def reject(self, reply: Rejected) -> None:
        """Notes a refusal. One that names no open nonce is of a message that was not understood: the first open one."""
        nonce = reply.nonce if reply.nonce in self._open() else min(self._open())
        self._answers[nonce] = reply.error

    def fail_rest(self, error: AlignedError) -> None:
        """Gives all open ones the same answer."""
        self._answers |= dict.fromkeys(self._open(), error)

    def answers(self) -> list[Receipt | AlignedError]:
        """In the order of the nonces, once none is open."""
        return [self._answers[nonce] for nonce in self._commitments]

    def _open(self) -> list[int]:
        return [nonce for nonce in self._commitments if nonce not in self._answers]
