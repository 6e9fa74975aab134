"""The ABIs in the Python package are those of the compiled contracts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import generate_bindings  # noqa: E402


@pytest.fixture(scope="module")
def manifest():
    return generate_bindings.load_manifest()


@pytest.mark.parametrize("name", sorted(generate_bindings.BINDINGS))
def test_binding__as_in_the_repository__equals_the_compilers_output(manifest, name):
    stored = (generate_bindings.ABI_FOLDER / f"{name}.json").read_text()
    assert stored == generate_bindings.render(generate_bindings.BINDINGS[name], manifest)


def test_bindings__files_in_the_package__are_the_generated_ones():
    stored = {path.stem for path in generate_bindings.ABI_FOLDER.glob("*.json")}
    assert stored == set(generate_bindings.BINDINGS)
