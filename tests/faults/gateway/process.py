"""A gateway process that kills itself at a chosen moment: python -m tests.faults.gateway.process SETTINGS MOMENT.

Moments: "uploaded", "stored", "reserved", "verifying", "judged", "settled", or "never".
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aligned.gateway import service
from aligned.gateway.admission import Admission
from aligned.gateway.verification import Verification
from aligned.settings import Settings
from aligned.storage.objects import ObjectStore
from aligned.verifiers.pool import VerifierPool

# Method, and whether the process dies after it or before it.
MOMENTS: dict[str, tuple[type, str, bool]] = {
    "uploaded": (Admission, "reserve", False),
    "stored": (ObjectStore, "put_file", True),
    "reserved": (Admission, "reserve", True),
    "verifying": (VerifierPool, "verify", False),
    "judged": (VerifierPool, "verify", True),
    "settled": (Verification, "_settle", True),
}


def _deadly(method: Callable[..., Any], after: bool) -> Callable[..., Any]:
    @functools.wraps(method)
    async def dies(*args: Any, **options: Any) -> Any:
        if after:
            await method(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    return dies


def main(settings_file: str, moment: str) -> None:
    if moment in MOMENTS:
        owner, name, after = MOMENTS[moment]
        setattr(owner, name, _deadly(getattr(owner, name), after))
    settings = Settings.model_validate_json(Path(settings_file).read_bytes())
    asyncio.run(service.run(settings, asyncio.Event()))


if __name__ == "__main__":
    main(*sys.argv[1:])
