"""Clients as the protocol's description has them, written without the batcher's own message code."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import cbor2
from websockets.asyncio.client import ClientConnection, connect

from aligned.core import signing
from aligned.core.commitment import commit
from aligned.core.eip712 import submission_digest
from aligned.core.merkle import verify_path
from aligned.core.types import VerificationData

CHAIN_ID = 31337
PAYMENT_SERVICE = bytes.fromhex("7969c5ed335650692bc04293b07f5bf2e7a673c0")
MAX_FEE_WEI = 13_000 * 100 * 10**9


def hex_text(value: bytes | int) -> str:
    return hex(value) if isinstance(value, int) else "0x" + value.hex()


class User:
    """A key, and the messages that it signs."""

    def __init__(self, key: int, payment_service: bytes = PAYMENT_SERVICE) -> None:
        self.key = key.to_bytes(32, "big")
        self.address = signing.address_of(self.key)
        self.payment_service = payment_service

    def message(
        self,
        data: VerificationData,
        nonce: int,
        *,
        max_fee_wei: int = MAX_FEE_WEI,
        chain_id: int = CHAIN_ID,
        payment_service: bytes | None = None,
        arrays: bool = True,
    ) -> dict[str, Any]:
        """A submission map; with `arrays` exactly as the v0.10 client writes it."""
        service = payment_service or self.payment_service
        digest = submission_digest(commit(data).leaf, nonce, max_fee_wei, chain_id, service)
        signature = signing.sign_digest(self.key, digest)

        def blob(value: bytes | None) -> Any:
            return list(value) if arrays and value is not None else value

        return {
            "verification_data": {
                "verification_data": {
                    "proving_system": data.proving_system.wire_name,
                    "proof": blob(data.proof),
                    "pub_input": blob(data.pub_input),
                    "verification_key": blob(data.verification_key),
                    "vm_program_code": blob(data.vm_program_code),
                    "proof_generator_addr": hex_text(data.proof_generator_addr),
                },
                "nonce": hex_text(nonce),
                "max_fee": hex_text(max_fee_wei),
                "chain_id": hex_text(chain_id),
                "payment_service_addr": hex_text(service),
            },
            "signature": {
                "r": hex_text(int.from_bytes(signature[:32], "big")),
                "s": hex_text(int.from_bytes(signature[32:64], "big")),
                "v": signature[64],
            },
        }


class Client:
    """A raw connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.socket: ClientConnection

    async def __aenter__(self) -> Self:
        self.socket = await connect(self.url, max_size=2**26, compression=None)
        assert await self.read() == {"ProtocolVersion": 4}
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.socket.close()

    async def send(self, message: object) -> None:
        await self.socket.send(message if isinstance(message, bytes) else cbor2.dumps(message))

    async def read(self, timeout_s: float = 30) -> Any:
        frame = await asyncio.wait_for(self.socket.recv(), timeout_s)
        assert isinstance(frame, bytes)
        return cbor2.loads(frame)

    async def ask(self, message: object) -> Any:
        await self.send(message)
        return await self.read()


class ReferenceClient(Client):
    """What the v0.10 client does: one message, one reply, and in the end the inclusion data in order of nonces."""

    async def submit(self, user: User, proofs: list[VerificationData], first_nonce: int) -> None:
        for offset, data in enumerate(proofs):
            reply = await self.ask(user.message(data, first_nonce + offset))
            assert reply == "Valid", reply

    async def inclusions(self, proofs: list[VerificationData]) -> list[tuple[bytes, int]]:
        """Root and index of each proof, after the check that the client makes itself."""
        found = []
        for data in proofs:
            message = await self.read()
            assert list(message) == ["BatchInclusionData"], message
            body = message["BatchInclusionData"]
            assert set(body) == {"batch_merkle_root", "batch_inclusion_proof", "index_in_batch"}
            assert all(isinstance(n, int) for n in body["batch_merkle_root"])
            path = b"".join(bytes(node) for node in body["batch_inclusion_proof"]["merkle_path"])
            root, index = bytes(body["batch_merkle_root"]), body["index_in_batch"]
            assert verify_path(commit(data).leaf, index, path, root)
            found.append((root, index))
        return found


class HelloClient(Client):
    """A client that asks for the extended replies."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        reply = await self.ask({"Hello": {"version": 1, "client": "test"}})
        self.terms = reply["HelloAck"]
        return self

    async def code(self, message: object) -> str:
        """Code of the refusal of a message."""
        reply = await self.ask(message)
        assert list(reply) == ["Rejected"], reply
        return str(reply["Rejected"]["code"])

    async def next(self, kind: str) -> dict[str, Any]:
        """The next frame of a kind; others in between are passed over."""
        while True:
            message = await self.read()
            if kind in message:
                return dict(message[kind])
