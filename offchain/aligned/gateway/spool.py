"""Uploads on disk until they are rows: what a killed gateway leaves behind is found and removed by the next one.

A file has the name of its proof's id, which is the name of the stored object as well. While it is there, that object is
looked at: now and then by the gateway that kept it, else by the next one that starts.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Files of a gateway that is no more."""

    folder: Path
    proof_ids: tuple[uuid.UUID, ...]

    def remove(self) -> None:
        """Deletes them."""
        _remove(self.folder)


class Spool:
    """The folder of this process among those of all gateways that share `parent`."""

    def __init__(self, parent: Path, folder: Path) -> None:
        self._parent = parent
        self._folder = folder
        self._held: Counter[uuid.UUID] = Counter()
        self._kept: dict[uuid.UUID, float] = {}

    @contextmanager
    def hold(self, proof_id: uuid.UUID) -> Iterator[Path]:
        """Where the upload of this proof is; removed when nobody holds it any more, unless it is kept."""
        self._held[proof_id] += 1
        try:
            yield self._path(proof_id)
        finally:
            self._held[proof_id] -= 1
            self._remove_unused(proof_id)

    def keep(self, proof_id: uuid.UUID) -> None:
        """From now on the stored object may be one that no row needs, until `drop`: whatever ends us meanwhile."""
        self._path(proof_id).touch()
        self._kept[proof_id] = time.monotonic()

    def drop(self, proof_id: uuid.UUID) -> None:
        """The stored object is needed by a row, or is gone."""
        self._kept.pop(proof_id, None)
        self._remove_unused(proof_id)

    def kept(self, age_s: float) -> list[uuid.UUID]:
        """Proofs whose object nobody has taken care of for so long."""
        until = time.monotonic() - age_s
        return [each for each, since in self._kept.items() if since <= until and not self._held[each]]

    def _path(self, proof_id: uuid.UUID) -> Path:
        return self._folder / proof_id.hex

    def _remove_unused(self, proof_id: uuid.UUID) -> None:
        if self._held[proof_id]:
            return
        del self._held[proof_id]
        self._path(proof_id).unlink(missing_ok=True)
        if proof_id in self._kept:  # its name is enough; a local store may have a link to what it was
            self._path(proof_id).touch()

    def leftovers(self) -> Iterator[Leftovers]:
        """What gateways that ended without cleaning up have left; each is locked while it is looked at.

        A folder without a lock file is empty: its gateway is just about to lock it.
        """
        for folder in sorted(self._parent.iterdir()):
            if folder == self._folder or not folder.is_dir():
                continue
            with _locked(folder) as ours:
                if ours:
                    yield Leftovers(folder, tuple(_ids(folder)))


@contextmanager
def open_spool(parent: Path) -> Iterator[Spool]:
    """A fresh folder below `parent`, removed at the end unless a file was left in it on purpose."""
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        folder = parent / uuid.uuid4().hex
        folder.mkdir()
        with _locked(folder, os.O_CREAT) as ours:
            if not ours:  # another gateway found it not yet locked, and sweeps it
                continue
            try:
                yield Spool(parent, folder)
            finally:
                if not list(_ids(folder)):
                    _remove(folder)
            return


@contextmanager
def _locked(folder: Path, flags: int = 0) -> Iterator[bool]:
    """Whether the folder is ours for the block; a lock ends with its process.

    Args:
        flags: os.O_CREAT for a new folder; others are locked only if their owner came to it.
    """
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | flags, 0o600)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _lock(folder, lock)
    finally:
        os.close(lock)


def _lock(folder: Path, lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who had the lock before us may have removed the file, and others do not meet us at a removed one.
        return os.path.samestat(os.fstat(lock), (folder / _LOCK).stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _remove(folder: Path) -> None:
    """The lock goes last: what is left when we are killed meanwhile is found again."""
    with suppress(OSError):
        for proof_id in list(_ids(folder)):
            (folder / proof_id.hex).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _ids(folder: Path) -> Iterator[uuid.UUID]:
    for path in folder.iterdir():
        with suppress(ValueError):
            yield uuid.UUID(hex=path.name)
