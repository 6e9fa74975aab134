"""Where a deployment is: chain, contracts and batcher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from aligned.chain.deployment import Deployment, address_bytes
from aligned.core.finality import FINAL_DEPTH_BLOCKS

DEVNET_CHAIN_ID: Final = 31_337


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """One deployment as a user sees it.

    Attributes:
        rpc_urls: Ethereum endpoints, tried in order.
        batcher_url: ws:// or wss:// URL; its HTTP face is on the same host and port.
        service_manager, payment_service: 0x addresses.
        batcher_address: whose signature receipts must carry; None takes the payment service's batcher in office.
        final_depth_blocks: blocks above an answer from which it counts as final.
    """

    chain_id: int
    rpc_urls: tuple[str, ...]
    batcher_url: str
    service_manager: str
    payment_service: str
    batcher_address: str | None = None
    final_depth_blocks: int = FINAL_DEPTH_BLOCKS

    @property
    def batcher_http_url(self) -> str:
        """The batcher's HTTP face, without a trailing slash."""
        parts = urlsplit(self.batcher_url)
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        return urlunsplit((scheme, parts.netloc, "", "", ""))

    @property
    def payment_service_bytes(self) -> bytes:
        """20 bytes."""
        return address_bytes(self.payment_service)

    @classmethod
    def from_deployment(cls, file: Path, rpc_url: str, batcher_url: str) -> NetworkConfig:
        """Addresses from deployments/<chain id>.json."""
        deployment = Deployment.load(file)
        return cls(
            chain_id=deployment.chain_id,
            rpc_urls=(rpc_url,),
            batcher_url=batcher_url,
            service_manager=deployment.service_manager,
            payment_service=deployment.payment_service,
        )

    def at(self, rpc_url: str | None = None, batcher_url: str | None = None) -> NetworkConfig:
        """The same contracts through other endpoints."""
        urls = (rpc_url,) if rpc_url else self.rpc_urls
        return replace(self, rpc_urls=urls, batcher_url=batcher_url or self.batcher_url)


@dataclass(frozen=True, slots=True)
class AggregationNetwork:
    """Aggregation mode of one deployment, as a user sees it.

    Attributes:
        rpc_urls: Ethereum endpoints, tried in order.
        gateway_url: without a trailing slash.
        payment_service, aggregation_service: 0x addresses.
        beacon_urls: consensus nodes that may have the blobs, tried in order; the gateway's archive comes after them.
    """

    chain_id: int
    rpc_urls: tuple[str, ...]
    gateway_url: str
    payment_service: str
    aggregation_service: str
    beacon_urls: tuple[str, ...] = ()

    @property
    def payment_service_bytes(self) -> bytes:
        """20 bytes."""
        return address_bytes(self.payment_service)

    @classmethod
    def of(cls, deployment: Deployment, rpc_url: str, gateway_url: str) -> AggregationNetwork:
        """Addresses from a deployment."""
        return cls(
            chain_id=deployment.chain_id,
            rpc_urls=(rpc_url,),
            gateway_url=gateway_url.rstrip("/"),
            payment_service=deployment.aggregation_payment_service,
            aggregation_service=deployment.aggregation_service,
        )

    def at(
        self,
        rpc_url: str | None = None,
        gateway_url: str | None = None,
        beacon_urls: Sequence[str] = (),
    ) -> AggregationNetwork:
        """The same contracts through other endpoints."""
        return replace(
            self,
            rpc_urls=(rpc_url,) if rpc_url else self.rpc_urls,
            gateway_url=(gateway_url or self.gateway_url).rstrip("/"),
            beacon_urls=tuple(beacon_urls) or self.beacon_urls,
        )


# What clients of the reference have built in for their devnet; `ape run devnet` puts the contracts there.
DEVNET: Final = NetworkConfig(
    chain_id=DEVNET_CHAIN_ID,
    rpc_urls=("http://127.0.0.1:8545",),
    batcher_url="ws://127.0.0.1:8080",
    service_manager="0x1613beB3B2C4f22Ee086B2b38C1476A3cE7f78E8",
    payment_service="0x7969c5eD335650692Bc04293B07F5BF2e7A673C0",
)

DEVNET_AGGREGATION: Final = AggregationNetwork(
    chain_id=DEVNET_CHAIN_ID,
    rpc_urls=("http://127.0.0.1:8545",),
    gateway_url="http://127.0.0.1:8070",
    payment_service="0x922D6956C99E12DFeB3224DEA977D0939758A1Fe",
    aggregation_service="0xcbEAF3BDe82155F56486Fb5a1072cb8baAf547cc",
)
