"""Rules of STYLE.md that a program can check, over the tracked files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = {".py": 300, ".rs": 300, ".sol": 500}
MAX_FUNCTION_LINES = 50
MAX_SCRIPT_LINES = 40
# Put together here so that this file does not contain what it forbids.
MACHINE_PATHS = re.compile(r"(?<![\w.}])/(" + "work|root|home/[a-z]+" + r")/")
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (("registry", "npmjs"), ("pypi", "org"), ("pythonhosted", "org"), ("proxy", "golang"))
]


@cache
def tracked_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def tracked_with(*suffixes: str) -> list[Path]:
    return [path for path in tracked_files() if path.suffix in suffixes]


def texts() -> Iterator[tuple[Path, str]]:
    """Tracked text files; lock files are left out: Cargo writes its registry into them."""
    for path in tracked_files():
        if path.suffix == ".lock":
            continue
        data = path.read_bytes()
        if b"\0" not in data[:8192]:
            yield path.relative_to(ROOT), data.decode(errors="replace")


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("suffix", sorted(MAX_LINES))
def test_file_size__source_file__is_below_the_budget(suffix: str) -> None:
    lines = {path: len(path.read_text().splitlines()) for path in tracked_with(suffix)}
    assert {str(path.relative_to(ROOT)): n for path, n in lines.items() if n >= MAX_LINES[suffix]} == {}


def code_lines(path: Path) -> int:
    """Lines that are neither blank nor the module's docstring."""
    source = path.read_text()
    start = ast.parse(source).body[0].end_lineno or 0
    return sum(bool(line.strip()) for line in source.splitlines()[start:])


def test_scripts__ape_command__only_parses_and_calls_the_package() -> None:
    scripts = [path for path in tracked_with(".py") if path.is_relative_to(ROOT / "scripts")]
    lines = {path: code_lines(path) for path in scripts}
    assert {str(path.relative_to(ROOT)): n for path, n in lines.items() if n > MAX_SCRIPT_LINES} == {}


def test_function_size__python_function__is_below_the_budget() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in tracked_with(".py")
        for node in functions(path)
        if (node.end_lineno or node.lineno) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_tracked_files__path_of_one_machine__is_not_there() -> None:
    home = str(Path.home()) + "/"
    found = [
        f"{path}: {line.strip()[:120]}"
        for path, text in texts()
        for line in text.splitlines()
        if MACHINE_PATHS.search(line) or (len(home) > 5 and home in line)
    ]
    assert found == []


def test_tracked_files__host_of_a_package_registry__is_not_there() -> None:
    assert [f"{path}: {host}" for path, text in texts() for host in REGISTRY_HOSTS if host in text] == []


def test_generated_settings_pages__model_changed__are_rewritten() -> None:
    command = [sys.executable, "tools/generate_settings_docs.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_example_settings__comment_marks_removed__are_accepted(tmp_path: Path) -> None:
    from aligned.settings import load

    example = (ROOT / "aligned.example.toml").read_text()
    active = re.sub(r"^# (\w+ = (?!\"\"))", r"\1", example, flags=re.MULTILINE)
    (tmp_path / "aligned.toml").write_text(active)
    assert load(tmp_path / "aligned.toml").model_dump() == load().model_dump()


def skips_without_reason(path: Path) -> Iterator[int]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("pytest.mark.skip", "pytest.mark.xfail"):
            yield node.lineno
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("pytest.skip", "pytest.xfail"):
            reasons = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "reason")]
            if not reasons or (isinstance(reasons[0], ast.Constant) and not str(reasons[0].value).strip()):
                yield node.lineno


def test_tests__skip__gives_a_reason() -> None:
    """An unconditional mark is forbidden: a gap must show as a failing test or not be claimed."""
    found = [
        f"{path.relative_to(ROOT)}:{n}"
        for path in tracked_with(".py")
        if path.is_relative_to(ROOT / "tests")
        for n in skips_without_reason(path)
    ]
    assert found == []


def test_tests__two_files_of_one_name__are_in_packages() -> None:
    """Otherwise pytest takes the second for the first and stops. Ape's own tests import their helpers by bare name."""
    names = [
        path
        for path in tracked_with(".py")
        if path.name.startswith("test_") and path.is_relative_to(ROOT / "tests")
    ]
    loose = [path for path in names if not (path.parent / "__init__.py").is_file()]
    assert {path.parent.name for path in loose} <= {"contracts"}


def test_settings__every_field__is_described() -> None:
    from aligned.settings import Settings

    missing = []
    sections = [("", Settings)]
    while sections:
        prefix, model = sections.pop()
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields"):
                sections.append((f"{prefix}{name}.", field.annotation))
            if not (field.description or "").strip():
                missing.append(f"{prefix}{name}")
    assert missing == []


def test_security_page__named_tests__exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text()))
    sources = "\n".join(path.read_text() for path in tracked_with(".py", ".sol", ".rs"))
    defined = set(re.findall(r"(?:def|function|fn) (test\w+)", sources))
    assert named, "SECURITY.md names no tests"
    assert named - defined == set()


def test_security_page__attacks__are_listed_once() -> None:
    rows = [line.split(" | ") for line in (ROOT / "SECURITY.md").read_text().splitlines() if " | `" in line]
    attacks = Counter(row[0].removeprefix("| ").strip() for row in rows)
    tests = Counter(row[-1].removesuffix("|").strip() for row in rows)
    assert rows, "SECURITY.md lists no attacks"
    assert [text for text, count in (attacks + tests).items() if count > 1] == []


def test_documents__relative_links__lead_somewhere() -> None:
    links = [
        (path, target)
        for path in tracked_with(".md")
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())
    ]
    local = [(path, target) for path, target in links if "://" not in target]
    assert [str(path.parent / target) for path, target in local if not (path.parent / target).exists()] == []


def test_sources__pages_they_refer_to__exist() -> None:
    pages = {page for path, text in texts() for page in re.findall(r"\bdocs/[\w/-]+\.md", text)}
    assert [page for page in sorted(pages) if not (ROOT / page).is_file()] == []


def test_documents__make_targets__exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    targets |= set(re.search(r"^CHECKS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split())
    named = {
        name for path in tracked_with(".md") for name in re.findall(r"`make ([a-z-]+)`", path.read_text())
    }
    assert named - targets == set()


def test_dependencies__pinned_exactly__and_equal_to_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = [
        re.sub(r"\[.*\]", "", pin)
        for pin in project["dependencies"] + project["optional-dependencies"]["dev"]
    ]
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+", pin)] == []
    assert set(pins) - set((ROOT / "requirements.lock").read_text().split()) == set()
