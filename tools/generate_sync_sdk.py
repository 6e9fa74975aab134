"""Writes offchain/aligned/sdk/_sync.py, the blocking twin of the asynchronous client, from its source.

`python tools/generate_sync_sdk.py` writes the file, with `--check` it only says whether the file is fresh.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent / "offchain" / "aligned" / "sdk"
SOURCE, TARGET = SDK / "client.py", SDK / "_sync.py"

HEAD = '''"""The blocking client. Written by tools/generate_sync_sdk.py from client.py: edit that."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from eth_account.signers.local import LocalAccount

from aligned.chain.types import ChainReceipt
from aligned.core.types import VerificationData
from aligned.sdk.client import AlignedClient, Ticket, Until
from aligned.sdk.funds import Account
from aligned.sdk.models import Inclusion, ProofVerificationData, Submission, SubmitResult
from aligned.sdk.network import NetworkConfig
from aligned.sdk.portal import Portal
from aligned.sdk.posting import PreparedBatch


class SyncClient:
    """As `AlignedClient`, blocking. Use it as a context manager; threads may share it.

    Args:
        network: where the deployment is.
        signer: pays for proofs and signs transactions; None for reading only.
    """

    def __init__(self, network: NetworkConfig, signer: LocalAccount | None = None) -> None:
        self.network = network
        self._portal = Portal()
        self._client = self._portal.run(_open(network, signer))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections."""
        self._portal.run(self._client.close())
        self._portal.stop()
'''

TAIL = '''

async def _open(network: NetworkConfig, signer: LocalAccount | None) -> AlignedClient:
    """Made inside the portal's event loop, to which its connections belong."""
    return AlignedClient(network, signer)
'''


def public_methods(source: str) -> list[ast.AsyncFunctionDef]:
    """The asynchronous methods of AlignedClient that users call, without `close`, in their order."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    client = next(node for node in classes if node.name == "AlignedClient")
    methods = (node for node in client.body if isinstance(node, ast.AsyncFunctionDef))
    return [node for node in methods if not node.name.startswith("_") and node.name != "close"]


def blocking(method: ast.AsyncFunctionDef, source: str) -> str:
    """The same method, run in the portal: signature and docstring are copied as they are."""
    signature, docstring = method.body[0].lineno, method.body[0]
    lines = source.splitlines()
    head = "\n".join(lines[method.lineno - 1 : signature - 1]).replace("async def", "def", 1)
    text = "\n".join(lines[docstring.lineno - 1 : docstring.end_lineno])
    return f"\n{head}\n{text}\n        return self._portal.run(self._client.{method.name}({arguments(method)}))\n"


def arguments(method: ast.AsyncFunctionDef) -> str:
    """All parameters passed on, keyword-only ones by name."""
    positional = [argument.arg for argument in method.args.args[1:]]
    return ", ".join(
        [*positional, *(f"{argument.arg}={argument.arg}" for argument in method.args.kwonlyargs)]
    )


def generate() -> str:
    """Content of the target file, in the house format."""
    source = SOURCE.read_text()
    text = HEAD + "".join(blocking(method, source) for method in public_methods(source)) + TAIL
    ruff = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TARGET), "-"]
    return subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=SDK).stdout


def main() -> int:
    """Exit status 1 when --check finds a stale file."""
    text = generate()
    if "--check" in sys.argv[1:]:
        return int(not TARGET.exists() or TARGET.read_text() != text)
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
