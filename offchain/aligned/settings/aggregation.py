"""The sections of aggregation mode's roles."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, IPvAnyNetwork

from aligned.settings.hosts import Host
from aligned.settings.sections import MIB, KeySettings, Section


class PollerSettings(Section):
    """The payments poller."""

    host: Host = Field(default="127.0.0.1", description="address of health and metrics")
    port: int = Field(default=0, ge=0, le=65_535, description="port of health and metrics; 0: a free one")
    start_block: int = Field(
        default=0, ge=0, description="first block of a new database; 0: the block of the deployment"
    )


class GatewaySettings(Section):
    """The gateway."""

    host: Host = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8070, ge=0, le=65_535, description="port of the HTTP API; 0: a free one")
    spool_dir: Path = Field(
        default=Path(".aligned/spool"),
        description="folder for uploads in progress; on the object store's file system an upload is not copied",
    )
    max_proof_bytes: int = Field(default=4 * MIB, gt=0, description="largest proof")
    max_public_input_bytes: int = Field(default=64 * 1024, ge=0, description="largest public input")
    max_arrivals: int = Field(
        default=1_024, gt=0, description="uploads at a time that have not said yet who pays"
    )
    upload_texts_s: float = Field(default=5.0, gt=0, description="time limit for saying it")
    max_uploads: int = Field(default=64, gt=0, description="uploads of payers at a time")
    max_uploads_per_account: int = Field(
        default=16,
        gt=0,
        description="uploads at a time of one account, and never more than half of what is free",
    )
    max_uploads_per_ip: int = Field(default=16, gt=0, description="uploads at a time of one client address")
    max_upload_bytes: int = Field(
        default=256 * MIB,
        gt=0,
        description="bytes of all uploads at a time, by their announced or largest size",
    )
    upload_timeout_s: float = Field(default=60.0, gt=0, description="time limit for one upload")
    upload_idle_s: float = Field(default=10.0, gt=0, description="longest silence within an upload")
    upload_min_bytes_per_s: int = Field(
        default=16_384,
        ge=0,
        description="least average rate of an upload after its first upload_idle_s, 16 times as high when all of "
        "max_uploads are taken; 0: any",
    )
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
    max_leaf_lists: int = Field(
        default=4, gt=0, description="lists of an aggregation's leaves that are read at a time"
    )
    max_leaf_lists_per_ip: int = Field(default=2, gt=0, description="such lists of one client address")
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="networks (10.0.0.0/8) whose `proxy_header` is believed"
    )
    proxy_header: Literal["x-forwarded-for", "forwarded"] = Field(
        default="x-forwarded-for",
        description="the header in which they name the client; the PROXY protocol is not understood",
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
    """The proof aggregator. Its account should send nothing else: nodes hold blob transactions of an account apart."""

    host: Host = Field(default="127.0.0.1", description="address of health and metrics")
    port: int = Field(default=0, ge=0, le=65_535, description="port of health and metrics; 0: a free one")
    systems: tuple[Literal["sp1", "risc0"], ...] = Field(
        default=("sp1", "risc0"), min_length=1, description="proving systems to aggregate"
    )
    sp1_level: Literal["native", "execute", "compressed", "groth16", "network"] = Field(
        default="groth16",
        description="how far SP1 aggregations are proved; all but groth16 and network on the devnet only",
    )
    risc0_level: Literal["native", "execute", "composite", "succinct", "groth16"] = Field(
        default="groth16",
        description="how far RISC Zero aggregations are proved; all but groth16 on the devnet only",
    )
    result_dir: Path = Field(
        default=Path(".aligned/aggregator"),
        description="folder of the prover's inputs and results; aggregators on several machines need a shared one",
    )
    prover_dir: Path | None = Field(
        default=None,
        description="folder of the prover workers; none: where tools/build_prover.sh leaves them",
    )
    prover_memory_gib: int = Field(
        default=22,
        gt=0,
        description="memory of a worker that proves, children included; one that takes more is killed",
    )
    chunk_proofs: int = Field(
        default=256, gt=0, le=23_808, description="proofs in a chunk, which is proved as soon as it is full"
    )
    max_proofs: int = Field(
        default=3_968, gt=0, le=23_808, description="most proofs in an aggregation; 3968 fill one blob"
    )
    risc0_max_proofs: int = Field(
        default=256,
        gt=0,
        le=23_808,
        description="the same for RISC Zero, whose programs hash in software: one blob is 214 million cycles",
    )
    min_proofs: int = Field(
        default=1_024, gt=0, description="trigger by count: so many proofs are aggregated at once"
    )
    max_age_s: float = Field(
        default=86_400.0,
        gt=0,
        description="trigger by age: a proof that waits so long begins an aggregation, if the budget allows it",
    )
    max_fee_per_proof_gwei: float = Field(
        default=0.0,
        ge=0,
        description="trigger by cost: begin when gas and blob gas cost no more a proof; 0: not a reason",
    )
    execution_gas: int = Field(
        default=250_000, gt=0, description="gas of one aggregation without its blobs, to estimate its cost"
    )
    blob_execution_gas: int = Field(
        default=60_000, gt=0, description="gas of checking one blob, to estimate the cost"
    )
    proving_cost_gwei: int = Field(
        default=200_000, ge=0, description="estimate of what it costs to prove one aggregation"
    )
    daily_budget_gwei: int = Field(
        default=20_000_000,
        ge=0,
        description="most a day for aggregations that cost more than their proofs paid; one above it waits, and has"
        " another day's budget with each day that its oldest proof waits; 0: no limit",
    )
    daily_at: str = Field(
        default="00:00",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$",
        description="trigger by schedule: once a day at HH:MM UTC whatever waits; empty: no schedule",
    )
    join_wait_s: float = Field(
        default=600.0,
        ge=0,
        description="longest time after max_age_s that proved chunks wait for those still being proved",
    )
    chunk_workers: int = Field(default=1, gt=0, le=64, description="chunks that are proved at a time")
    lease_s: float = Field(
        default=60.0, gt=0, description="work is taken over so long after its aggregator died"
    )
    proving_timeout_s: float = Field(default=14_400.0, gt=0, description="longest time for one proof")
    max_attempts: int = Field(
        default=3, gt=0, description="failures without a known cause after which a chunk is halved"
    )
    retry_s: float = Field(default=5.0, gt=0, description="first pause after a failure; doubles")
    max_retry_s: float = Field(default=600.0, gt=0, description="longest such pause")
    poll_s: float = Field(default=1.0, gt=0, description="pause between looks at the queue")
    max_blob_fee_gwei: int = Field(
        default=100, gt=0, description="most that is ever offered per blob gas; above it we wait"
    )
    send_timeout_s: float = Field(
        default=600.0, gt=0, description="wait for a transaction before it is looked at afresh"
    )
    give_up_after_s: float = Field(
        default=600.0,
        gt=0,
        description="time for which gas or blob gas may cost more than an aggregation's proofs paid and the budget"
        " has left, until its pending transaction is cancelled; it is sent again when it is cheap enough",
    )
    final_blocks: int = Field(
        default=0,
        ge=0,
        description="blocks after which a root counts as final; 0: when the chain's finalized block reaches it",
    )
    keep_proofs: bool = Field(default=False, description="keep the proofs' files after their root is final")
    max_proof_bytes: int = Field(
        default=16 * MIB, gt=0, description="largest proof that is read from the store"
    )
    low_balance_gwei: int = Field(
        default=100_000_000, ge=0, description="not ready when the account has less"
    )

    def level_of(self, system: str) -> str:
        """The level of a system, by its wire name."""
        return self.sp1_level if system == "sp1" else self.risc0_level


class IntakeSettings(Section):
    """Proofs of fast-mode batches, which the proof aggregator takes over where this is enabled."""

    enabled: bool = Field(default=False, description="aggregate supported proofs of fast-mode batches too")
    start_block: int = Field(
        default=0, ge=0, description="first block of a new database; 0: the block of the deployment"
    )
    daily_at: str = Field(
        default="",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$",
        description="once a day at HH:MM UTC take over what was posted by then; empty: at once",
    )
    max_batch_bytes: int = Field(default=256 * MIB, gt=0, description="largest batch file")
    max_batch_proofs: int = Field(default=8_192, gt=0, description="most proofs in a batch")
    max_public_input_bytes: int = Field(
        default=64 * 1024, ge=0, description="a proof with a larger public input is left out"
    )
    download_timeout_s: float = Field(default=60.0, gt=0, description="time limit for one batch file")
    download_min_bytes_per_s: int = Field(
        default=65_536, ge=0, description="least average rate of a download after its first 5 s; 0: any"
    )
    allow_private_hosts: bool = Field(
        default=False, description="also download from private addresses (devnet)"
    )
    allow_redirects: bool = Field(default=False, description="follow redirects of batch files")
    max_attempts: int = Field(default=10, gt=0, description="attempts after which a batch is given up")
    retry_s: float = Field(default=30.0, gt=0, description="first pause after a failed attempt; doubles")
    max_retry_s: float = Field(default=3_600.0, gt=0, description="longest such pause")
    lease_s: float = Field(
        default=60.0, gt=0, description="a batch is taken over so long after its aggregator died"
    )
    verifier_workers: int = Field(default=1, gt=0, description="verifier processes")
    verifier_timeout_s: float = Field(default=60.0, gt=0, description="time limit for one proof")
