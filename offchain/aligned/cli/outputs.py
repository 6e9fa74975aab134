"""Where results go: looked at before anything is sent or paid."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click


class OutputFile(click.Path):
    """A click type: a file that can be written, in a folder that is there."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Looks; fails as wrong usage."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.parent.is_dir():
            self.fail(f"{str(path)!r}: there is no folder {str(path.parent)!r}; make it first", param, ctx)
        target = path if path.exists() else path.parent
        if not os.access(target, os.W_OK):
            self.fail(f"{str(path)!r}: {str(target)!r} may not be written to", param, ctx)
        return path


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
