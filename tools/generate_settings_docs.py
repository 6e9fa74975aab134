"""Writes aligned.example.toml and docs/operations/settings.md from the settings model.

`python tools/generate_settings_docs.py` rewrites both, `--check` only compares (exit status 1 when they are stale).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from aligned.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "aligned.example.toml"
PAGE = ROOT / "docs" / "operations" / "settings.md"

EXAMPLE_HEAD = """\
# Settings of all roles, with their defaults. Take the "# " away from what you change.
# Environment variables win: ALIGNED__BATCHER__PORT=8080. Passwords and the database's URL are never in this file.
# Written by tools/generate_settings_docs.py.
"""
PAGE_HEAD = """\
# Settings

Written by `tools/generate_settings_docs.py` from `aligned.settings`; do not edit. A file to start from:
[aligned.example.toml](../../aligned.example.toml). Setting `port` of section `batcher` is `ALIGNED__BATCHER__PORT` in
the environment, which wins over the file. *env* marks secrets that only the environment can carry.
"""


def sections() -> Iterator[tuple[str, str, type[BaseModel]]]:
    """Name, description and model of each section."""
    for name, field in Settings.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, BaseModel)
        yield name, field.description or "", field.annotation


def is_secret(field: FieldInfo) -> bool:
    """Whether the value may only come from the environment."""
    return SecretStr in getattr(field.annotation, "__args__", (field.annotation,))


def toml_value(value: Any) -> str:
    """The default in TOML's notation; an empty string for "not set"."""
    if isinstance(value, tuple):
        return json.dumps(list(value))
    if value is None or isinstance(value, Path):
        return json.dumps("" if value is None else str(value))
    return json.dumps(value)


def render_example() -> str:
    """The example file, every line but the section heads commented out."""
    lines = [EXAMPLE_HEAD]
    for name, description, model in sections():
        lines += [f"[{name}]  # {description}"]
        fields = [(key, field) for key, field in model.model_fields.items() if not is_secret(field)]
        lines += [f"# {key} = {toml_value(field.default)}  # {field.description}" for key, field in fields]
        lines.append("")
    return "\n".join(lines)


def render_page() -> str:
    """The page with one table a section."""
    lines = [PAGE_HEAD]
    for name, description, model in sections():
        lines += [f"## `{name}`: {description}", "", "| setting | default | meaning |", "|---|---|---|"]
        for key, field in model.model_fields.items():
            default = "*env*" if is_secret(field) else f"`{toml_value(field.default)}`"
            lines.append(f"| `{key}` | {default} | {field.description} |")
        lines.append("")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Writes or checks."""
    wanted = {EXAMPLE: render_example(), PAGE: render_page()}
    if "--check" in arguments:
        stale = [path.name for path, text in wanted.items() if not path.is_file() or path.read_text() != text]
        print(f"stale: {stale}; run python tools/generate_settings_docs.py" if stale else "fresh")
        return int(bool(stale))
    for path, text in wanted.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
