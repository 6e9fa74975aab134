"""Compiles the contracts when, and only when, any source has changed.

Ape alone recompiles a changed file but not the contracts that import it: after a change of a library its tests would
go on with the old bytecode.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = ROOT / ".build" / "__local__.json"
STAMP = ROOT / ".build" / "sources.sha256"


def source_digest() -> str:
    """Digest of everything that the bytecode depends on."""
    digest = hashlib.sha256((ROOT / "ape-config.yaml").read_bytes())
    for path in sorted((ROOT / "contracts").rglob("*.sol")):
        if ".cache" not in path.parts:
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def drop_dependency_cache() -> None:
    """Removes the copy of the npm packages that Ape leaves in contracts/.cache of a clone below the temporary folder.

    Ape looks at the first 500 files of contracts/ only, and that copy alone has more: the next run would not find some
    of our contracts.
    """
    shutil.rmtree(ROOT / "contracts" / ".cache", ignore_errors=True)


def ensure_fresh() -> Path:
    """Path of the compiler's output, made anew if it is not that of the sources."""
    current = source_digest()
    if MANIFEST.is_file() and STAMP.is_file() and STAMP.read_text() == current:
        return MANIFEST
    from ape import project

    drop_dependency_cache()
    project.load_contracts(use_cache=False)
    drop_dependency_cache()
    STAMP.write_text(current)
    return MANIFEST


if __name__ == "__main__":
    print(ensure_fresh())
