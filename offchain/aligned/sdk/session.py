"""One WebSocket connection to a batcher: hello, then a proof at a time, each answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from eth_account.signers.local import LocalAccount
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from aligned.core.commitment import commit
from aligned.core.eip712 import receipt_digest, submission_digest
from aligned.core.errors import (
    INVALID_CHAIN_ID,
    INVALID_PAYMENT_SERVICE,
    INVALID_SIGNATURE,
    MALFORMED_MESSAGE,
    AlignedError,
    DependencyError,
    ProtocolError,
)
from aligned.core.signing import recover_address, sign_digest
from aligned.core.types import VerificationData
from aligned.sdk.frames import MAX_FRAME_BYTES, Accepted, read_protocol_version, read_reply, read_terms
from aligned.sdk.models import Receipt
from aligned.sdk.network import NetworkConfig
from aligned.sdk.outstanding import Outstanding
from aligned.wire.batcher import (
    HELLO_VERSION,
    PROTOCOL_VERSION,
    Hello,
    Signature,
    Submission,
    encode_hello,
    encode_submission,
)

CONNECTION_LOST = "connection_lost"
CLIENT_NAME = "aligned-sdk"
_OPEN_TIMEOUT_S = 20.0


class BatcherSession:
    """An open connection of one signer. Not for concurrent use: replies come in the order of the messages.

    Args:
        batcher: 20 bytes, whose signature receipts must carry.
    """

    def __init__(
        self, socket: ClientConnection, network: NetworkConfig, signer: LocalAccount, batcher: bytes
    ) -> None:
        self._socket = socket
        self._network = network
        self._signer = signer
        self._batcher = batcher
        self._max_proof_bytes = 0

    @classmethod
    async def open(cls, network: NetworkConfig, signer: LocalAccount, batcher: bytes) -> Self:
        """Connects and exchanges hellos.

        Raises:
            DependencyError: connection_lost: no connection.
            ProtocolError: another protocol version, chain or payment service than expected.
        """
        try:
            socket = await connect(
                network.batcher_url, max_size=MAX_FRAME_BYTES, compression=None, open_timeout=_OPEN_TIMEOUT_S
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            raise DependencyError(CONNECTION_LOST, f"{network.batcher_url}: {error!r}") from error
        session = cls(socket, network, signer, batcher)
        try:
            await session._greet()
        except BaseException:
            await socket.close()
            raise
        return session

    async def close(self) -> None:
        """Closes the connection; accepted proofs stay in the queue."""
        await self._socket.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def max_proof_bytes(self) -> int:
        """Largest proof that this batcher takes, key and public input included."""
        return self._max_proof_bytes

    async def submit(
        self, proofs: Sequence[VerificationData], first_nonce: int, max_fee_wei: int
    ) -> list[Receipt | AlignedError]:
        """Sends proofs with consecutive nonces at once; one answer each, in order.

        The batcher verifies them side by side and takes them in the order of their nonces: after one refusal the
        later ones are answered `nonce_too_high`. A proof whose answer did not arrive has error `connection_lost`: it
        may have been accepted or not.
        """
        commitments = [commit(data) for data in proofs]
        sent = Outstanding(commitments, first_nonce, max_fee_wei)
        frames = [
            encode_submission(self._signed(data, parts.leaf, nonce, max_fee_wei))
            for nonce, (data, parts) in enumerate(zip(proofs, commitments, strict=True), first_nonce)
        ]
        sending = asyncio.create_task(self._send_all(frames))
        try:
            await self._receive_all(sent)
            await sending
        except AlignedError as error:
            sent.fail_rest(error)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        return sent.answers()

    async def _send_all(self, frames: Sequence[bytes]) -> None:
        for frame in frames:
            await self._send(frame)

    async def _receive_all(self, sent: Outstanding) -> None:
        while sent.is_open:
            reply = read_reply(await self._receive())
            if isinstance(reply, Accepted):
                self.check(reply)
                sent.accept(reply)
            elif reply is not None:
                sent.reject(reply)

    def check(self, reply: Accepted) -> None:
        """Holds a receipt against this signer and the batcher in office.

        Raises:
            ProtocolError: it is another sender's, or not signed by the batcher.
        """
        if reply.sender != self._address:
            raise ProtocolError(MALFORMED_MESSAGE, "the receipt is for another sender")
        network, signature = self._network, reply.signature
        contract = network.payment_service_bytes
        digest = receipt_digest(
            reply.leaf, self._address, reply.nonce, reply.deadline_s, network.chain_id, contract
        )
        if len(signature) != 65:
            raise ProtocolError(INVALID_SIGNATURE, f"the receipt's signature has {len(signature)} bytes")
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        signer = recover_address(digest, r, s, signature[64])
        if signer != self._batcher:
            raise ProtocolError(
                INVALID_SIGNATURE, f"the receipt is by 0x{signer.hex()}, not by the batcher in office"
            )

    async def _greet(self) -> None:
        version = read_protocol_version(await self._receive())
        if version != PROTOCOL_VERSION:
            raise ProtocolError(
                MALFORMED_MESSAGE, f"batcher speaks version {version}, expected {PROTOCOL_VERSION}"
            )
        await self._send(encode_hello(Hello(HELLO_VERSION, CLIENT_NAME)))
        terms = read_terms(await self._receive())
        if terms.chain_id != self._network.chain_id:
            raise ProtocolError(
                INVALID_CHAIN_ID, f"batcher serves {terms.chain_id}, not {self._network.chain_id}"
            )
        if terms.payment_service != self._network.payment_service_bytes:
            raise ProtocolError(
                INVALID_PAYMENT_SERVICE, f"batcher serves 0x{terms.payment_service.hex()}, not this network's"
            )
        self._max_proof_bytes = terms.max_proof_bytes

    def _signed(self, data: VerificationData, leaf: bytes, nonce: int, max_fee_wei: int) -> Submission:
        network = self._network
        digest = submission_digest(leaf, nonce, max_fee_wei, network.chain_id, network.payment_service_bytes)
        raw = sign_digest(bytes(self._signer.key), digest)
        signature = Signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big"), raw[64])
        return Submission(
            data=data,
            nonce=nonce,
            max_fee_wei=max_fee_wei,
            chain_id=network.chain_id,
            payment_service=network.payment_service_bytes,
            signature=signature,
            sender=self._address,
        )

    @property
    def _address(self) -> bytes:
        return bytes.fromhex(self._signer.address[2:])

    async def _send(self, frame: bytes) -> None:
        try:
            await self._socket.send(frame)
        except WebSocketException as error:
            raise _lost(error) from error

    async def _receive(self) -> bytes:
        try:
            frame = await self._socket.recv()
        except WebSocketException as error:
            raise _lost(error) from error
        return frame if isinstance(frame, bytes) else frame.encode()


def _lost(error: Exception) -> AlignedError:
    return DependencyError(CONNECTION_LOST, f"the batcher closed the connection: {error}")
