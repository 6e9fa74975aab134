"""The sections of aggregation mode's roles."""

from __future__ import annotations

from pydantic import Field

from aligned.settings.sections import KeySettings, Section


class PollerSettings(Section):
    """The payments poller."""

    host: str = Field(default="127.0.0.1", description="address of health and metrics")
    port: int = Field(default=0, ge=0, le=65_535, description="port of health and metrics; 0: a free one")
    start_block: int = Field(
        default=0, ge=0, description="first block of a new database; 0: the block of the deployment"
    )


class GatewaySettings(Section):
    """The gateway."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8070, ge=0, le=65_535, description="port of the HTTP API; 0: a free one")


class ProofAggregatorSettings(KeySettings):
    """The proof aggregator."""

    host: str = Field(default="127.0.0.1", description="address of health and metrics")
    port: int = Field(default=0, ge=0, le=65_535, description="port of health and metrics; 0: a free one")
