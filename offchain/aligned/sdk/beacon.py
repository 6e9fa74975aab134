"""Blobs from a beacon node (`/eth/v1/beacon/blobs/{slot}` of the Beacon APIs). Answers are not trusted."""

from __future__ import annotations

from typing import Any

import httpx

from aligned.core.blob import BLOB_BYTES
from aligned.core.errors import MALFORMED_MESSAGE, DependencyError, ProtocolError
from aligned.sdk.answers import JsonService, integer, no_other_shape, read_bytes

_TIMEOUT_S = 30.0
# In hexadecimal. A node that does not know the filter gives all blobs of the block; no block has had more.
_MAX_BLOBS_IN_BLOCK = 32
_MAX_BLOBS_BYTES = _MAX_BLOBS_IN_BLOCK * (2 * BLOB_BYTES + 1_024)


class BeaconNode:
    """One beacon node.

    Args:
        base_url: without a trailing slash.
        transport: for tests.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = base_url.rstrip("/")
        self._service = JsonService(self.url, "beacon", _TIMEOUT_S, transport)
        self._clock: tuple[int, int] | None = None

    async def close(self) -> None:
        """Closes the connections."""
        await self._service.close()

    async def slot_at(self, timestamp_s: int) -> int:
        """The slot of the block with this timestamp.

        Raises:
            ProtocolError: malformed_message: the time is before the chain's genesis.
        """
        genesis_s, seconds_per_slot = await self._times()
        if timestamp_s < genesis_s:
            raise ProtocolError(MALFORMED_MESSAGE, f"time {timestamp_s} is before genesis {genesis_s}")
        return (timestamp_s - genesis_s) // seconds_per_slot

    async def blobs(self, slot: int, versioned_hashes: tuple[bytes, ...]) -> list[bytes]:
        """The blobs that the node gives for these hashes, 131,072 bytes each, in its order and unchecked.

        Raises:
            DependencyError: beacon_unavailable: it has none (any more: nodes keep blobs for about 18 days).
        """
        query = {"versioned_hashes": [f"0x{each.hex()}" for each in versioned_hashes]}
        data = await self._data(f"/eth/v1/beacon/blobs/{slot}", _MAX_BLOBS_BYTES, params=query)
        with no_other_shape("beacon node's blobs"):
            return [read_bytes(blob, BLOB_BYTES) for blob in data]

    async def _times(self) -> tuple[int, int]:
        if self._clock is None:
            genesis = await self._data("/eth/v1/beacon/genesis")
            spec = await self._data("/eth/v1/config/spec")
            with no_other_shape("beacon node's clock"):
                seconds = integer(spec, "SECONDS_PER_SLOT")
                if seconds == 0:
                    raise ValueError(seconds)
                self._clock = integer(genesis, "genesis_time"), seconds
        return self._clock

    async def _data(self, path: str, max_bytes: int = 1 << 20, **request: Any) -> Any:
        answer = await self._service.get(path, max_bytes, **request)
        if answer is None or "data" not in answer:
            raise DependencyError(self._service.unavailable, f"{self.url}{path}: nothing there")
        return answer["data"]
