"""Which kind of client is at the other end: its first message says so."""

from __future__ import annotations

from aligned.wire.batcher import HELLO_VERSION, ClientMessage, Hello, Question, SubmitProof
from aligned.wire.batcher_replies import Dialect, HelloDialect
from aligned.wire.cbor import malformed
from aligned.wire.reference_replies import LaterDialect, ReferenceDialect


def dialect_for(message: ClientMessage, so_far: Dialect | None) -> Dialect:
    """The dialect of a connection after a message.

    Args:
        so_far: None before the first one.

    Raises:
        ProtocolError: malformed_message, for the message of another kind of client than those before.
    """
    is_later = isinstance(message, SubmitProof | Question)
    if so_far is None:
        is_hello = isinstance(message, Hello)
        return LaterDialect() if is_later else HelloDialect() if is_hello else ReferenceDialect()
    if isinstance(message, Hello):
        raise malformed("Hello must be the first message, and comes once")
    if is_later is not isinstance(so_far, LaterDialect):
        raise malformed("a submission of another kind of client than the messages before")
    return so_far


def check_hello(message: ClientMessage) -> None:
    """Refuses a Hello of another version, in the words of a client that says hello.

    Raises:
        ProtocolError: malformed_message.
    """
    if isinstance(message, Hello) and message.version != HELLO_VERSION:
        raise malformed(f"Hello of version {message.version}, this batcher speaks {HELLO_VERSION}")
