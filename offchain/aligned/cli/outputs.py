"""Where results go: looked at before anything is sent or paid."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click


class OutputFile(click.Path):
    """A click type: a file that can be written, in a folder that is there."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, readable=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Looks; fails as wrong usage."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        folder = path.resolve().parent if path.is_symlink() else path.parent
        if not folder.is_dir():
            self.fail(f"{str(path)!r}: there is no folder {str(folder)!r}; make it first", param, ctx)
        for target in _written(path, folder):
            if not os.access(target, os.W_OK):
                self.fail(f"{str(path)!r}: {str(target)!r} may not be written to", param, ctx)
        return path


def _written(path: Path, folder: Path) -> list[Path]:
    """What must be writable: a file is replaced by a new one from its folder, a pipe or a device is written to."""
    if not path.exists():
        return [folder]
    return [path, folder] if path.is_file() else [path]


class OutputFolder(click.Path):
    """A click type: a folder that can be written to; made if it is not there."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Looks, and makes it; fails as wrong usage."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.fail(f"{str(path)!r}: {error.strerror}", param, ctx)
        if not os.access(path, os.W_OK):
            self.fail(f"{str(path)!r} may not be written to", param, ctx)
        return path
