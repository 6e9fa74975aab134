"""What is wrong with variables of the environment before any of them is a setting."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final, get_origin

from pydantic_settings import BaseSettings

ENV_PREFIX: Final = "ALIGNED__"
_PART: Final = "__"


def wrong_variables(model: type[BaseSettings]) -> dict[str, str]:
    """Variables that are meant for us and cannot be understood, each with the reason; never a value.

    The library drops those of unknown sections in silence, and at the first list that is no JSON it names nothing else.
    """
    found: dict[str, str] = {}
    for name, value in os.environ.items():
        if name.upper().startswith(ENV_PREFIX) and value:
            reason = _reason(model, name.upper().removeprefix(ENV_PREFIX).lower().split(_PART), value)
            found |= {} if reason is None else {name: reason}
    return found


def _reason(model: type[BaseSettings], path: list[str], value: str) -> str | None:
    section = model.model_fields.get(path[0])
    if section is None:
        return f"there is no section {path[0]}; sections are {', '.join(model.model_fields)}"
    if len(path) == 1:
        return (
            None
            if _is_json(value)
            else "expected a section as JSON, such as {}; better one variable for each setting"
        )
    fields: Mapping[str, Any] = getattr(section.annotation, "model_fields", {})
    field = fields.get(path[1])
    if len(path) > 2 or field is None or get_origin(field.annotation) not in (tuple, list):
        return None
    return None if _is_json(value) else 'expected a list as JSON, such as ["first", "second"]'


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True
