"""A batcher that does what each test tells it, over real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from aligned.core.commitment import commit
from aligned.core.eip712 import receipt_digest
from aligned.core.signing import sign_digest
from aligned.core.types import ProvingSystem, VerificationData
from aligned.sdk.network import NetworkConfig
from aligned.wire.batcher import Submission, decode_client_message
from aligned.wire.batcher_replies import (
    HelloDialect,
    Receipt,
    ServerLimits,
    encode_hello_ack,
    encode_protocol_version,
)

CHAIN_ID = 31337
PAYMENT_SERVICE = bytes(range(20))
MAX_BYTES = 1 << 20
Handler = Callable[["LyingBatcher", ServerConnection, Submission], Awaitable[None]]


def proof(number: int = 0) -> VerificationData:
    return VerificationData(ProvingSystem.SP1, b"proof %d" % number, None, b"key", None, bytes(20))


async def answer_honestly(batcher: LyingBatcher, socket: ServerConnection, submission: Submission) -> None:
    await socket.send(HelloDialect().accepted(batcher.receipt(submission)))


@dataclass
class LyingBatcher:
    """Honest until a field says otherwise."""

    on_submission: Handler = answer_honestly
    first_frame: bytes = encode_protocol_version()
    chain_id: int = CHAIN_ID
    account: LocalAccount = field(default_factory=Account.create)
    taken: list[Submission] = field(default_factory=list)
    next_nonce: int = 0
    proofs: bytes = b'{"submissions": []}'
    port: int = 0

    @property
    def network(self) -> NetworkConfig:
        return NetworkConfig(
            chain_id=CHAIN_ID,
            rpc_urls=("http://127.0.0.1:9",),
            batcher_url=f"ws://127.0.0.1:{self.port}",
            service_manager="0x" + "22" * 20,
            payment_service="0x" + PAYMENT_SERVICE.hex(),
            batcher_address=self.account.address,
        )

    def receipt(self, submission: Submission, **changes: Any) -> Receipt:
        """A signed receipt; `changes` are made after signing."""
        assert submission.sender is not None
        leaf, deadline_s = commit(submission.data).leaf, 2_000_000_000
        digest = receipt_digest(
            leaf, submission.sender, submission.nonce, deadline_s, CHAIN_ID, PAYMENT_SERVICE
        )
        fields = {
            "leaf": leaf,
            "sender": submission.sender,
            "nonce": submission.nonce,
            "position": 0,
            "deadline_s": deadline_s,
            "signature": sign_digest(bytes(self.account.key), digest),
        }
        return Receipt(**(fields | changes))

    async def serve_client(self, socket: ServerConnection) -> None:
        await socket.send(self.first_frame)
        await socket.recv()
        limits = ServerLimits(
            self.chain_id,
            PAYMENT_SERVICE,
            bytes.fromhex(self.account.address[2:]),
            MAX_BYTES,
            MAX_BYTES,
            100,
            1,
        )
        await socket.send(encode_hello_ack(limits))
        async for frame in socket:
            assert isinstance(frame, bytes)
            submission = decode_client_message(frame, 10 * MAX_BYTES)
            assert isinstance(submission, Submission)
            self.taken.append(submission)
            await self.on_submission(self, socket, submission)

    def answer_http(self, _connection: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            return None
        is_nonce = request.path.startswith("/v1/nonce/")
        body = json.dumps({"nonce": self.next_nonce}).encode() if is_nonce else self.proofs
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
        return Response(200, "OK", headers, body)


@asynccontextmanager
async def running(batcher: LyingBatcher, port: int = 0) -> AsyncIterator[LyingBatcher]:
    """Serves until the block ends."""
    server: Server = await serve(
        batcher.serve_client, "127.0.0.1", port, process_request=batcher.answer_http, max_size=10 * MAX_BYTES
    )
    async with server:
        batcher.port = server.sockets[0].getsockname()[1]
        yield batcher
