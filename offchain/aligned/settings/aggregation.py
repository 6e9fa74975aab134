"""The sections of aggregation mode's roles."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from aligned.settings.sections import MIB, KeySettings, Section


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
    spool_dir: Path = Field(
        default=Path(".aligned/spool"),
        description="folder for uploads in progress; on the object store's file system an upload is not copied",
    )
    max_proof_bytes: int = Field(default=4 * MIB, gt=0, description="largest proof")
    max_public_input_bytes: int = Field(default=64 * 1024, ge=0, description="largest public input")
    max_uploads: int = Field(default=64, gt=0, description="uploads at a time")
    max_uploads_per_ip: int = Field(default=16, gt=0, description="uploads at a time of one client address")
    max_upload_bytes: int = Field(
        default=256 * MIB,
        gt=0,
        description="bytes of all uploads at a time, by their announced or largest size",
    )
    upload_timeout_s: float = Field(default=60.0, gt=0, description="time limit for one upload")
    upload_idle_s: float = Field(default=10.0, gt=0, description="longest silence within an upload")
    uploads_per_s: float = Field(default=20.0, gt=0, description="uploads a second of one client address")
    upload_burst: int = Field(default=200, gt=0, description="uploads of one client address at once")
    submissions_per_s: float = Field(
        default=10.0, gt=0, description="submissions a second of one paying account"
    )
    submission_burst: int = Field(default=200, gt=0, description="submissions of one paying account at once")
    rejection_cost: float = Field(
        default=10.0, ge=0, description="submissions that a rejected proof counts for, beside its own"
    )
    reads_per_s: float = Field(default=100.0, gt=0, description="reads a second of one client address")
    read_burst: int = Field(default=1_000, gt=0, description="reads of one client address at once")
    trusted_proxies: tuple[str, ...] = Field(
        default=(), description="addresses or networks whose X-Forwarded-For is believed"
    )
    max_waiters: int = Field(default=1_000, gt=0, description="long polls and event streams at a time")
    max_waiters_per_ip: int = Field(default=50, gt=0, description="such waits of one client address")
    max_wait_s: int = Field(default=60, gt=0, description="longest long poll")
    max_stream_s: float = Field(
        default=900.0, gt=0, description="length of an event stream; the client connects again"
    )
    max_verifying: int = Field(default=1_000, gt=0, description="proofs that may wait for a verifier")
    verifier_workers: int = Field(default=0, ge=0, description="verifier processes; 0: one more than cores")
    verifier_timeout_s: float = Field(default=30.0, gt=0, description="time limit for one proof")
    verifier_memory_bytes: int = Field(
        default=2_048 * MIB, gt=0, description="address space of a verifier process"
    )
    lease_s: float = Field(
        default=15.0, gt=0, description="a verification is taken over so long after its gateway died"
    )
    clock_skew_s: int = Field(
        default=300, ge=0, description="a payment counts so long before its time, as clocks differ"
    )
    price_max_age_s: float = Field(default=30.0, gt=0, description="age of the price in /v1/status")


class ProofAggregatorSettings(KeySettings):
    """The proof aggregator."""

    host: str = Field(default="127.0.0.1", description="address of health and metrics")
    port: int = Field(default=0, ge=0, le=65_535, description="port of health and metrics; 0: a free one")
