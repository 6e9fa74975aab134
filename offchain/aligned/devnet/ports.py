"""Ports that a devnet takes: looked at before anything is started, because what answers may be somebody else's."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aligned.core.errors import ProtocolError

PORT_IN_USE: Final = "port_in_use"


@dataclass(frozen=True, slots=True)
class PortWish:
    """A port that somebody wants.

    Attributes:
        port: 0 means any free one.
        what: what shall listen there, for people.
        option: with which it can be changed.
    """

    port: int
    what: str
    option: str


def is_free(port: int) -> bool:
    """Whether nobody listens on this TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        # As servers do: connections of an earlier one that are still closing are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def require_free(wishes: Iterable[PortWish]) -> None:
    """Looks at all ports.

    Raises:
        ProtocolError: port_in_use, naming each port that another program has or that is wanted twice.
    """
    named = [wish for wish in wishes if wish.port]
    problems = [
        f"port {wish.port} ({wish.what}) is in use by another program: end it, or {wish.option} 0 takes a free one"
        for wish in named
        if not is_free(wish.port)
    ]
    for number, wish in enumerate(named):
        problems += [
            f"port {wish.port} is wanted for {wish.what} and for {other.what}: change {wish.option} or {other.option}"
            for other in named[:number]
            if other.port == wish.port
        ]
    if problems:
        raise ProtocolError(PORT_IN_USE, "; ".join(problems))
