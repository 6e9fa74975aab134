"""Writes requirements.lock: the exact versions of everything that pyproject.toml resolves to.

Run it after a change of the dependencies: `.venv/bin/python tools/update_lock.py`. It asks pip for the resolution only
and installs nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# Every package of the environment with its exact version, written by tools/update_lock.py. Do not edit.
# Installed with --no-deps. numpy is the one exception to eth-ape's own bounds: numpy 1 has no build for Python 3.13.
"""
NUMPY_FOR_NEW_PYTHON = "2.2.6"


def requirements() -> list[str]:
    """Direct requirements, those of development included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["dev"]]


def resolve(wanted: list[str]) -> dict[str, str]:
    """Name to version of the whole set that pip would install into an empty environment."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ["--quiet", "--dry-run", "--ignore-installed", "--report", str(report)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, *wanted], check=True)
        installs = json.loads(report.read_text())["install"]
    return {
        item["metadata"]["name"].lower().replace("_", "-"): item["metadata"]["version"] for item in installs
    }


def lock_lines(versions: dict[str, str]) -> list[str]:
    """One `name==version` a line, in alphabetical order."""
    lines = [f"{name}=={version}" for name, version in versions.items() if name != "numpy"]
    lines.append(f'numpy=={versions["numpy"]} ; python_version < "3.13"')
    lines.append(f'numpy=={NUMPY_FOR_NEW_PYTHON} ; python_version >= "3.13"')
    return sorted(lines)


def main() -> None:
    """Resolve and write."""
    (ROOT / "requirements.lock").write_text(HEADER + "\n".join(lock_lines(resolve(requirements()))) + "\n")


if __name__ == "__main__":
    main()
