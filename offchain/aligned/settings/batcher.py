"""The batcher's section."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, IPvAnyNetwork

from aligned.core.finality import FINAL_DEPTH_BLOCKS
from aligned.settings.hosts import Host
from aligned.settings.sections import MIB, KeySettings
from aligned.wire.batcher import max_message_bytes


class BatcherSettings(KeySettings):
    """The batcher."""

    host: Host = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=0, le=65_535, description="port of WebSocket and HTTP; 0: a free one")
    max_proof_bytes: int = Field(
        default=4 * MIB, gt=0, description="largest proof with key, program and public input"
    )
    max_queue_proofs: int = Field(default=10_000, gt=0, description="most proofs waiting")
    max_queue_bytes: int = Field(default=4_096 * MIB, gt=0, description="most bytes of proofs waiting")
    max_sender_proofs: int = Field(default=2_000, gt=0, description="most proofs of one sender waiting")
    max_sender_bytes: int = Field(
        default=512 * MIB, gt=0, description="most bytes of proofs of one sender waiting"
    )
    max_batch_proofs: int = Field(default=1_024, gt=0, description="most proofs in a batch")
    max_batch_bytes: int = Field(default=256 * MIB, gt=0, description="largest batch file")
    batch_interval_blocks: int = Field(
        default=3, gt=0, description="blocks between batches, unless one is full before"
    )
    fee_batch_proofs: int = Field(
        default=32, gt=0, description="batch size whose price is the least max_fee admitted"
    )
    low_fee_blocks: int = Field(
        default=100, gt=0, description="blocks for which a proof is kept that offers less than that by now"
    )
    disabled_systems: tuple[str, ...] = Field(
        default=(), description="proving systems refused here, by their wire names"
    )
    receipt_deadline_s: int = Field(
        default=3_600, gt=0, description="time within which receipts promise inclusion"
    )
    verifier_workers: int = Field(default=0, ge=0, description="verifier processes; 0: one more than cores")
    verifier_timeout_s: float = Field(
        default=10.0,
        gt=0,
        description="time limit for one proof; far below the operators', so that what is accepted here"
        " passes on their slower machines",
    )
    verifier_memory_bytes: int = Field(
        default=2_048 * MIB, gt=0, description="address space of a verifier process"
    )
    max_connections: int = Field(default=256, gt=0, description="most open WebSockets")
    max_connections_per_ip: int = Field(
        default=32, gt=0, description="most open WebSockets of one IP address"
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="networks (10.0.0.0/8) whose `proxy_header` is believed"
    )
    proxy_header: Literal["x-forwarded-for", "forwarded"] = Field(
        default="x-forwarded-for",
        description="the header in which they name the client; the PROXY protocol is not understood",
    )
    pages_per_s: float = Field(default=20.0, gt=0, description="HTTP requests a second of one client address")
    page_burst: int = Field(default=300, gt=0, description="HTTP requests of one client address at once")
    handshakes_per_s: float = Field(
        default=10.0, gt=0, description="WebSockets a second of one client address"
    )
    handshake_burst: int = Field(default=300, gt=0, description="WebSockets of one client address at once")
    messages_per_s: float = Field(
        default=100.0, gt=0, description="messages a second of one client address; more wait"
    )
    message_burst: int = Field(default=2_000, gt=0, description="messages of one client address at once")
    stranger_messages_per_s: float = Field(
        default=5.0,
        gt=0,
        description="submissions and questions a second of one client address, by accounts without an accepted proof",
    )
    stranger_message_burst: int = Field(default=200, gt=0, description="such messages at once")
    strangers_per_s: float = Field(
        default=50.0, gt=0, description="such messages a second of all client addresses together"
    )
    stranger_burst: int = Field(default=1_000, gt=0, description="such messages of all at once")
    sender_messages_per_s: float = Field(
        default=50.0, gt=0, description="submissions a second of one account"
    )
    sender_message_burst: int = Field(default=4_000, gt=0, description="submissions of one account at once")
    invalid_free: int = Field(
        default=3, ge=0, description="invalid proofs of an account before it has to pause"
    )
    invalid_pause_s: float = Field(
        default=1.0, gt=0, description="pause after the next invalid proof; doubles with each further one"
    )
    max_invalid_pause_s: float = Field(
        default=600.0,
        gt=0,
        description="longest such pause of an account; of an address that is shared, 60 s",
    )
    invalid_forget_s: float = Field(
        default=600.0, gt=0, description="time after a pause in which one invalid proof is forgotten"
    )
    metrics_host: Host = Field(default="127.0.0.1", description="address of health and metrics")
    metrics_port: int = Field(
        default=0, ge=0, le=65_535, description="port of health and metrics; 0: a free one"
    )
    max_unanswered: int = Field(
        default=32, gt=0, description="messages of a connection in work; it is read no further then"
    )
    max_pending: int = Field(
        default=4_096, gt=0, description="accepted proofs that a connection may wait for"
    )
    handshake_timeout_s: float = Field(
        default=10.0, gt=0, description="time for the handshake, or for a page over HTTP"
    )
    message_timeout_s: float = Field(
        default=120.0, gt=0, description="time from the first byte of a message to its last"
    )
    first_message_timeout_s: float = Field(default=30.0, gt=0, description="silence before the first message")
    idle_timeout_s: float = Field(
        default=600.0, gt=0, description="silence after which a connection that waits for nothing ends"
    )
    ping_interval_s: float = Field(
        default=20.0, gt=0, description="pause between pings; no answer in as long ends a connection"
    )
    market_max_age_s: float = Field(
        default=60.0, gt=0, description="age of prices from the chain above which none is quoted"
    )
    task_timeout_s: float = Field(
        default=600.0, gt=0, description="wait for a transaction before it is looked at afresh"
    )
    settle_min_percent: int = Field(
        default=200, ge=0, description="least surplus to return, in percent of what returning costs"
    )
    max_cost_percent: int = Field(
        default=125,
        gt=0,
        description="most that posting a batch may cost, in percent of what its proofs pay for that; no form of the"
        " transaction offers more (a cancel costs about 15)",
    )
    give_up_after_s: float = Field(
        default=120.0,
        gt=0,
        description="time for which gas may cost more than that until a pending transaction is cancelled and its"
        " batch taken apart",
    )
    final_depth_blocks: int = Field(
        default=FINAL_DEPTH_BLOCKS,
        ge=1,
        le=120,
        description="blocks above a verified batch from which it counts as final; until then it is followed and can"
        " be posted again (nodes answer about the last 128 blocks)",
    )
    stuck_after_s: float = Field(
        default=900.0,
        gt=0,
        description="age of a batch that is not on chain yet, from which the batcher is not ready and takes no"
        " more proofs: their receipts promise more than it could keep",
    )

    @property
    def max_message_bytes(self) -> int:
        """Largest WebSocket message."""
        return max_message_bytes(self.max_proof_bytes)
