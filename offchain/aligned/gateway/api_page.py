"""The API as one HTML page made from its OpenAPI document: no script, and nothing fetched from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c1e26 }
h2 { margin-top: 2.5rem; border-top: 1px solid #d5d8e0; padding-top: 1rem; font-size: 1.1rem }
h2 b { display: inline-block; min-width: 3.5rem; color: #3b5bdb }
code, pre { font: 13px/1.45 ui-monospace, monospace; background: #f4f5f8; border-radius: 4px }
code { padding: 0 .25rem } pre { padding: .75rem; overflow-x: auto }
table { border-collapse: collapse; width: 100% } td { padding: .25rem .75rem .25rem 0; vertical-align: top }
"""


def api_page(document: dict[str, Any]) -> str:
    """A complete HTML page.

    Args:
        document: as FastAPI makes it.
    """
    info = document["info"]
    schemas = document.get("components", {}).get("schemas", {})
    body = [
        f"<h1>{escape(info['title'])}</h1><p>{escape(info.get('description', ''))}</p>",
        '<p>Machine-readable: <a href="/openapi.json">/openapi.json</a></p>',
        *_operations(document["paths"]),
        "<h1>Schemas</h1>",
        *(_schema(name, schema) for name, schema in sorted(schemas.items())),
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f"<style>{_STYLE}</style>{''.join(body)}</html>"
    )


def _operations(paths: dict[str, Any]) -> Iterator[str]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            yield f"<h2><b>{method.upper()}</b> <code>{escape(path)}</code></h2>"
            yield f"<p>{escape(operation.get('description', ''))}</p>"
            yield _table(_inputs(operation))
            yield _table(_answers(operation))


def _inputs(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for parameter in operation.get("parameters", []):
        yield f"{parameter['name']} ({parameter['in']})", _about(parameter, parameter.get("schema", {}))
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for name, schema in content["schema"].get("properties", {}).items():
            yield f"{name} (form)", _about(schema, schema)


def _about(described: dict[str, Any], schema: dict[str, Any]) -> str:
    limits = {
        key: schema[key] for key in ("enum", "pattern", "minimum", "maximum", "default") if key in schema
    }
    text = described.get("description", "")
    return f"{text} {json.dumps(limits)}" if limits else text


def _answers(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for status, answer in operation["responses"].items():
        references = [
            content["schema"]["$ref"].rpartition("/")[2]
            for content in answer.get("content", {}).values()
            if "$ref" in content.get("schema", {})
        ]
        yield status, " ".join([answer["description"], *references])


def _table(rows: Iterator[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(text)}</td></tr>" for name, text in rows
    )
    return f"<table>{cells}</table>" if cells else ""


def _schema(name: str, schema: dict[str, Any]) -> str:
    text = json.dumps(schema, indent=2, ensure_ascii=False)
    return f'<h2 id="{escape(name)}">{escape(name)}</h2><pre>{escape(text)}</pre>'
