"""Writes the blocking twins of the asynchronous clients in offchain/aligned/sdk, from their source.

`python tools/generate_sync_sdk.py` writes the files, with `--check` it only says whether they are fresh.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent / "offchain" / "aligned" / "sdk"


@dataclass(frozen=True)
class Twin:
    """An asynchronous client, and what its blocking twin needs.

    Attributes:
        imports: of the generated file, beside those that every twin has.
    """

    source: str
    target: str
    client: str
    name: str
    network: str
    imports: str


TWINS = (
    Twin(
        source="client.py",
        target="_sync.py",
        client="AlignedClient",
        name="SyncClient",
        network="NetworkConfig",
        imports="""
from collections.abc import Sequence
from aligned.chain.types import ChainReceipt
from aligned.core.types import VerificationData
from aligned.sdk.client import AlignedClient, Ticket
from aligned.sdk.depth import Until
from aligned.sdk.funds import Account
from aligned.sdk.models import Inclusion, ProofVerificationData, Submission, SubmitResult
from aligned.sdk.posting import PreparedBatch
""",
    ),
    Twin(
        source="aggregation.py",
        target="_sync_aggregation.py",
        client="AggregationClient",
        name="SyncAggregationClient",
        network="AggregationNetwork",
        imports="""
from aligned.chain.contracts import PaymentTerms
from aligned.chain.types import ChainReceipt
from aligned.core.aggregation import AggregationSystem
from aligned.sdk.aggregation import DEFAULT_LIFETIME_S, AggregationClient, AggregationUntil
from aligned.sdk.aggregation_submission import ProofFiles
from aligned.sdk.leaves import Leaves, RootOnChain
from aligned.wire.gateway import (
    Aggregation, AggregationPage, ProofState, QuotaAnswer, Receipt, ReceiptPage, Status,
)
""",
    ),
)

HEAD = '''"""The blocking client. Written by tools/generate_sync_sdk.py from {source}: edit that."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from eth_account.signers.local import LocalAccount

{imports}
from aligned.sdk.network import {network}
from aligned.sdk.portal import Portal


class {name}:
    """As `{client}`, blocking. Use it as a context manager; threads may share it.

    Args:
        network: where the deployment is.
        signer: pays for proofs and signs transactions; None for reading only.
    """

    def __init__(self, network: {network}, signer: LocalAccount | None = None) -> None:
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

async def _open(network: {network}, signer: LocalAccount | None) -> {client}:
    """Made inside the portal's event loop, to which its connections belong."""
    return {client}(network, signer)
'''


def public_methods(source: str, client_name: str) -> list[ast.AsyncFunctionDef]:
    """The asynchronous methods of a client that users call, without `close`, in their order."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    client = next(node for node in classes if node.name == client_name)
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


def generate(twin: Twin) -> str:
    """Content of the target file, in the house format."""
    source = (SDK / twin.source).read_text()
    methods = "".join(blocking(method, source) for method in public_methods(source, twin.client))
    text = HEAD.format(**asdict(twin)) + methods + TAIL.format(**asdict(twin))
    for step in (["check", "--select", "I", "--fix", "--quiet"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *step, "--stdin-filename", str(SDK / twin.target), "-"]
        done = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=SDK)
        text = done.stdout
    return text


def main() -> int:
    """Exit status 1 when --check finds a stale file."""
    stale = False
    for twin in TWINS:
        target, text = SDK / twin.target, generate(twin)
        if "--check" in sys.argv[1:]:
            stale |= not target.exists() or target.read_text() != text
        else:
            target.write_text(text)
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
