"""Memory of a worker and its children, as Linux reports it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def resident_bytes(session: int) -> int:
    """Resident memory of all processes of a session: the anonymous memory of each, and the largest shared part once
    (a proving library maps one region into its helper processes). 0 where /proc does not exist.
    """
    parts = [_parts(pid) for pid in _pids(session)]
    return sum(anonymous for anonymous, _ in parts) + max((shared for _, shared in parts), default=0)


def _pids(session: int) -> list[int]:
    pids = []
    for entry in _PROC.glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if os.getsid(int(entry.name)) == session:
                pids.append(int(entry.name))
    return pids


def _parts(pid: int) -> tuple[int, int]:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0, 0
    fields = dict(line.split(":", 1) for line in lines if line.startswith(("RssAnon:", "RssShmem:")))
    kibibytes = [int(fields.get(name, "0 kB").split()[0]) for name in ("RssAnon", "RssShmem")]
    return kibibytes[0] * 1024, kibibytes[1] * 1024
