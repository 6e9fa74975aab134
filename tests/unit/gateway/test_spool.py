"""Gateways that share a spool: none takes what is another's, and what a killed one left is found."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from aligned.gateway.spool import open_spool


def _abandoned(parent: Path) -> tuple[Path, uuid.UUID]:
    """What a killed gateway leaves: a lock that nobody holds, and an upload."""
    folder, proof_id = parent / uuid.uuid4().hex, uuid.uuid4()
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    (folder / proof_id.hex).write_bytes(b"proof")
    return folder, proof_id


def _before_first_lock(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Lets something happen when a folder is about to be locked for the first time."""
    flock, events = fcntl.flock, [happens]

    def late(lock: int, operation: int) -> None:
        if events:
            events.pop()()
        flock(lock, operation)

    monkeypatch.setattr(fcntl, "flock", late)


def test_leftovers__gateway_was_killed__found_and_removed(tmp_path: Path) -> None:
    folder, proof_id = _abandoned(tmp_path)
    with open_spool(tmp_path) as spool:
        [found] = spool.leftovers()
        assert (found.folder, found.proof_ids) == (folder, (proof_id,))
        found.remove()
        assert not folder.exists()


def test_leftovers__gateway_runs__its_folder_is_left_alone(tmp_path: Path) -> None:
    with open_spool(tmp_path) as running, open_spool(tmp_path) as starting:
        running.keep(uuid.uuid4())
        assert list(starting.leftovers()) == []


def test_leftovers__folder_made_and_not_locked_yet__left_alone(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        folder = tmp_path / uuid.uuid4().hex
        folder.mkdir()
        assert list(spool.leftovers()) == []
        assert list(folder.iterdir()) == []


def test_leftovers__owner_cleans_up_meanwhile__left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = _abandoned(tmp_path)
    with open_spool(tmp_path) as spool:
        _before_first_lock(monkeypatch, lambda: shutil.rmtree(folder))
        assert list(spool.leftovers()) == []


def test_remove__killed_before_the_end__the_lock_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = _abandoned(tmp_path)
    with open_spool(tmp_path) as spool:
        [found] = spool.leftovers()
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", lambda *_, **__: None)
            found.remove()
        assert [path.name for path in folder.iterdir()] == ["lock"]
        assert [again.proof_ids for again in spool.leftovers()] == [()]


def test_open__swept_before_it_is_locked__has_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep() -> None:
        [folder] = tmp_path.iterdir()
        shutil.rmtree(folder)

    _before_first_lock(monkeypatch, sweep)
    with open_spool(tmp_path) as spool:
        spool._path(uuid.uuid4()).write_bytes(b"an upload")
        with open_spool(tmp_path) as other:
            assert list(other.leftovers()) == []


def test_open__another_sweeps_it_just_now__has_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock
    held: list[int] = []

    def taken() -> None:
        [folder] = tmp_path.iterdir()
        held.append(os.open(folder / "lock", os.O_RDWR))
        flock(held[0], fcntl.LOCK_EX)

    _before_first_lock(monkeypatch, taken)
    with open_spool(tmp_path) as spool:
        proof_id = uuid.uuid4()
        [swept] = [folder for folder in tmp_path.iterdir() if folder != spool._path(proof_id).parent]
        assert [path.name for path in swept.iterdir()] == ["lock"]
        spool._path(proof_id).write_bytes(b"an upload")
    os.close(held[0])


def test_open__ends__folder_is_gone_unless_a_file_was_left(tmp_path: Path) -> None:
    with open_spool(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
    with open_spool(tmp_path) as spool:
        spool._path(uuid.uuid4()).touch()
    with open_spool(tmp_path) as spool:
        assert len(list(spool.leftovers())) == 1


def test_hold__ended__upload_is_removed(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        with spool.hold(uuid.uuid4()) as path, spool.hold(uuid.UUID(path.name)):
            path.write_bytes(b"proof")
        assert not path.exists()


def test_keep__not_dropped__file_stays_for_the_next_one_to_look_at(tmp_path: Path) -> None:
    proof_id = uuid.uuid4()
    with open_spool(tmp_path) as spool:
        with spool.hold(proof_id) as path:
            path.write_bytes(b"proof")
            spool.keep(proof_id)
            assert spool.kept(0.0) == [], "in somebody's hands"
        assert spool.kept(0.0) == [proof_id]
        assert spool.kept(3_600.0) == []
        assert path.read_bytes() == b"", "a name takes no room"
    assert path.exists()
    with open_spool(tmp_path) as later:
        assert [found.proof_ids for found in later.leftovers()] == [(proof_id,)]


def test_keep__dropped_while_it_is_held__removed_with_the_hold(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        with spool.hold(uuid.uuid4()) as path:
            spool.keep(uuid.UUID(path.name))
            spool.drop(uuid.UUID(path.name))
            assert path.exists()
        assert not path.exists()
