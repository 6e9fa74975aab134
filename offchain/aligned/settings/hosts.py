"""Addresses to listen on."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final

from pydantic import AfterValidator

_LOCALHOST: Final = "localhost"
_LOOPBACK: Final = "127.0.0.1"


def listen_address(host: str) -> str:
    """The IP address that a host means. A name could mean several, and another one tomorrow.

    Raises:
        ValueError: neither an IP address nor localhost.
    """
    if host.lower() == _LOCALHOST:
        return _LOOPBACK
    try:
        return str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        text = "expected an IP address of this machine, such as 127.0.0.1, 0.0.0.0 (all) or ::1, or localhost"
        raise ValueError(text) from None


Host = Annotated[str, AfterValidator(listen_address)]
