"""From a decoded message to a committed row: cheap checks first, nothing acknowledged before it is durable.

Order: size, signature, chain, and how much its sender and address may ask for, none of which needs anybody else; nonce,
balance, fee, room and switches, which take the chain and the database; then the proof itself; then everything that may
have changed meanwhile once more, inside the transaction that stores it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from aligned.batcher import eviction, queue, rules
from aligned.batcher.accounts import AccountBook
from aligned.batcher.entry import Entry
from aligned.batcher.examiner import Examiner
from aligned.batcher.market import MarketFeed
from aligned.batcher.model import Account, QueuedProof
from aligned.batcher.queue import Stored
from aligned.batcher.receipts import ReceiptSigner
from aligned.batcher.reservations import Reservations
from aligned.batcher.rules import Bid, LiveEntry, QueueLimits, Role
from aligned.batcher.watch import PostingWatch
from aligned.clients import Client
from aligned.core.commitment import commit
from aligned.core.eip712 import submission_digest
from aligned.core.errors import (
    EMPTY_PROOF,
    INVALID_CHAIN_ID,
    INVALID_PAYMENT_SERVICE,
    INVALID_SIGNATURE,
    NONCE_USED,
    PROOF_TOO_LARGE,
    VERIFIER_DISABLED,
    ConflictError,
    ProofError,
    ProtocolError,
)
from aligned.core.signing import recover_address
from aligned.core.types import VerificationData
from aligned.storage.postgres import Connection, Database
from aligned.verifiers.registry import get_verifier
from aligned.wire.batch_file import encode_item
from aligned.wire.batcher import Submission
from aligned.wire.batcher_replies import MessageRef
from aligned.wire.fields import to_hex


@dataclass(frozen=True, slots=True)
class Policy:
    """What this batcher admits.

    Attributes:
        fee_batch_proofs: batch size whose price is the least max_fee.
        disabled_systems: ids switched off here, whatever the chain says.
    """

    chain_id: int
    payment_service: bytes
    max_proof_bytes: int
    fee_batch_proofs: int
    receipt_deadline_s: int
    disabled_systems: frozenset[int]
    limits: QueueLimits


@dataclass(frozen=True, slots=True)
class Admitted:
    """A committed submission.

    Attributes:
        position: queued proofs before it.
        replaced_leaf: leaf of the submission with its nonce that it took the place of.
        outbid: other senders' proofs that made way for it.
    """

    stored: Stored
    position: int
    replaced_leaf: bytes | None = None
    outbid: tuple[QueuedProof, ...] = ()


class Ticket:
    """One submission on its way in; says how far it was understood, also when it is refused."""

    def __init__(self, submission: Submission, client: Client) -> None:
        self.submission = submission
        self.client = client
        self.sender: bytes | None = None
        self.leaf: bytes | None = None
        self.reserved = asyncio.Event()

    @property
    def about(self) -> MessageRef:
        """For the reply."""
        data = self.submission.data
        return MessageRef(
            self.sender,
            self.submission.nonce,
            self.leaf,
            data.proving_system.wire_name,
            self.submission.payment_service,
        )


class Admission:
    """Admits submissions. One instance serves all connections."""

    def __init__(
        self,
        *,
        db: Database,
        accounts: AccountBook,
        market: MarketFeed,
        examiner: Examiner,
        signer: ReceiptSigner,
        policy: Policy,
        entry: Entry,
        watch: PostingWatch,
    ) -> None:
        self._db = db
        self._accounts = accounts
        self._market = market
        self._examiner = examiner
        self._signer = signer
        self._policy = policy
        self._entry = entry
        self._watch = watch
        self._reservations = Reservations()

    async def admit(self, ticket: Ticket) -> Admitted:
        """Checks, verifies and stores a submission. `ticket.reserved` is set once its nonce is held.

        Raises:
            AlignedError: with the code of what is wrong; nothing is left behind then.
        """
        submission = ticket.submission
        self._check_size(submission.data)
        sender, leaf = self._check_signature(submission, ticket)
        self._check_chain(submission)
        self._watch.check()
        self._entry.submission(sender, ticket.client)
        item = encode_item(submission.data)
        bid = Bid(submission.nonce, leaf, submission.max_fee_wei, len(item))
        look = await self._accounts.look(sender)
        while True:
            if busy := self._reservations.of(sender, bid.nonce):
                await busy.finished()
                continue
            admitted = await look.judge(lambda account: self._look(sender, bid, account))
            if admitted is not None:
                return admitted
            if self._reservations.of(sender, bid.nonce) is None:
                break
        self._check_switches(submission.data)
        with self._reservations.hold(sender, bid) as reservation:
            ticket.reserved.set()
            await self._examiner.examine(submission.data, sender, ticket.client, reservation)
            await reservation.wait_for_turn()
            admitted = await look.judge(
                lambda account: self._store(sender, bid, account, submission.data, item)
            )
        self._entry.valid(sender)
        return admitted

    async def _look(self, sender: bytes, bid: Bid, account: Account) -> Admitted | None:
        """The cheap checks on nonce, balance, fee and room; a duplicate is answered at once.

        No await may follow the last look at the reservations, or the nonce could be taken twice.
        """
        held_before = self._reservations.entries(sender)
        async with self._db.transaction() as conn:
            rows = await queue.live_entries(conn, sender, bid.nonce)
            room = await eviction.look(conn, sender, bid, self._policy.limits.total)
            if rules.nonce_role(bid, account, _merged(rows, held_before)) is Role.DUPLICATE:
                return await self._known(conn, sender, bid)
        live = _merged(rows, held_before + self._reservations.entries(sender))
        rules.nonce_role(bid, account, live)
        rules.check_balance(bid, account, live)
        rules.check_fee(bid, account, self._market.current(), self._policy.fee_batch_proofs)
        rules.check_room(bid, live, self._policy.limits.per_sender)
        rules.outbid(bid, account, room, self._policy.limits.total)
        return None

    async def _store(
        self, sender: bytes, bid: Bid, account: Account, data: VerificationData, item: bytes
    ) -> Admitted:
        """Commits the submission, unless what was true before verification is not true any more."""
        deadline_s = int(time.time()) + self._policy.receipt_deadline_s
        signature = self._signer.sign(bid.leaf, sender, bid.nonce, deadline_s)
        async with self._db.transaction() as conn:
            await queue.lock_sender(conn, sender)
            live = await queue.live_entries(conn, sender, bid.nonce)
            role = rules.nonce_role(bid, account, live)
            if role is Role.DUPLICATE:
                return await self._known(conn, sender, bid)
            rules.check_balance(bid, account, live)
            replaced_leaf = None
            if role is Role.REPLACEMENT:
                replaced_leaf = await queue.retire_replaced(conn, sender, bid.nonce)
            outbid = await self._make_room(conn, sender, bid, account, live)
            await queue.insert(conn, sender, bid, data.proving_system, item, deadline_s, signature)
            known = await self._known(conn, sender, bid)
            return replace(known, replaced_leaf=replaced_leaf, outbid=tuple(outbid))

    async def _make_room(
        self, conn: Connection, sender: bytes, bid: Bid, account: Account, live: list[LiveEntry]
    ) -> list[QueuedProof]:
        limits = self._policy.limits
        rules.check_room(bid, live, limits.per_sender)
        room = await eviction.look(conn, sender, bid, limits.total)
        outbid = rules.outbid(bid, account, room, limits.total)
        if outbid:
            await eviction.evict(conn, outbid)
        return outbid

    @staticmethod
    async def _known(conn: Connection, sender: bytes, bid: Bid) -> Admitted:
        stored = await queue.by_nonce(conn, sender, bid.nonce)
        if stored is None:
            raise ConflictError(NONCE_USED, f"nonce {bid.nonce} was given up a moment ago; send it again")
        return Admitted(stored, await queue.position(conn, stored.id))

    def _check_size(self, data: VerificationData) -> None:
        if not data.proof:
            raise ProofError(EMPTY_PROOF, "the proof has no bytes")
        limit = min(self._policy.max_proof_bytes, get_verifier(data.proving_system).max_proof_bytes)
        if data.size_bytes > limit:
            raise ProtocolError(
                PROOF_TOO_LARGE,
                f"{data.size_bytes} bytes (proof, public input, key and program together), at most {limit}",
                limit_bytes=limit,
            )

    @staticmethod
    def _check_signature(submission: Submission, ticket: Ticket) -> tuple[bytes, bytes]:
        ticket.leaf = leaf = commit(submission.data).leaf
        digest = submission_digest(
            leaf, submission.nonce, submission.max_fee_wei, submission.chain_id, submission.payment_service
        )
        signature = submission.signature
        sender = recover_address(digest, signature.r, signature.s, signature.v)
        if submission.sender not in (None, sender):
            raise ProtocolError(
                INVALID_SIGNATURE, f"it is by {to_hex(sender)}, not by the sender that is named"
            )
        ticket.sender = sender
        return sender, leaf

    def _check_chain(self, submission: Submission) -> None:
        policy = self._policy
        if submission.chain_id != policy.chain_id:
            text = f"got {submission.chain_id}, this batcher serves {policy.chain_id}"
            raise ProtocolError(INVALID_CHAIN_ID, text, expected=policy.chain_id)
        if submission.payment_service != policy.payment_service:
            expected = to_hex(policy.payment_service)
            text = f"got {to_hex(submission.payment_service)}, this batcher serves {expected}"
            raise ProtocolError(INVALID_PAYMENT_SERVICE, text, expected=expected)

    def _check_switches(self, data: VerificationData) -> None:
        system = data.proving_system
        if system in self._policy.disabled_systems or self._market.current().is_disabled(system):
            raise ProofError(VERIFIER_DISABLED, f"{system.wire_name} is switched off")


def _merged(rows: list[LiveEntry], held: list[LiveEntry]) -> list[LiveEntry]:
    """Both by nonce; what is stored counts where both know a nonce."""
    return list(({entry.nonce: entry for entry in held} | {entry.nonce: entry for entry in rows}).values())
