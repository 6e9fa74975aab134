"""Folders on this machine's disk."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path


async def remove_folder(folder: Path | str) -> None:
    """Removes a folder, if it is there."""
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
