"""Parts of a role replaced by deadly ones, before it starts."""

from __future__ import annotations

from types import ModuleType


def replace(module: ModuleType, **parts: object) -> None:
    """Gives names of `module` other values; each must be there, else the role would live on with its own."""
    for name, part in parts.items():
        assert hasattr(module, name), f"{module.__name__} has no {name}"
        setattr(module, name, part)
