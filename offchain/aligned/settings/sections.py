"""The sections of the settings: what each role can be told, with defaults."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from aligned.settings.hosts import Host

MIB = 1024 * 1024


class Section(BaseModel):
    """Base of all sections."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DatabaseSettings(Section):
    """PostgreSQL; an embedded server when no URL is given."""

    url: SecretStr | None = Field(default=None, description="postgresql:// URL; only from the environment")
    url_file: Path | None = Field(default=None, description="file that holds the URL")
    data_dir: Path = Field(default=Path(".aligned/postgres"), description="folder of the embedded server")
    pool_max: int = Field(default=8, ge=2, le=100, description="most connections of this process")


class StoreSettings(Section):
    """Object store for batch files."""

    url: str = Field(default=".aligned/store", description="folder, file:// or s3:// URL")
    public_base_url: str = Field(
        default="http://127.0.0.1:8081", description="where others download what is stored"
    )


class KeySettings(Section):
    """Account of a role."""

    keystore_file: Path | None = Field(default=None, description="Ethereum keystore of the role's account")
    password_file: Path | None = Field(default=None, description="file with the keystore's password")
    password: SecretStr | None = Field(default=None, description="the password; only from the environment")
    devnet_private_key: SecretStr | None = Field(
        default=None, description="plain key, accepted on chain id 31337 only; only from the environment"
    )


class OperatorSettings(KeySettings):
    """An operator."""

    bls_keystore_file: Path | None = Field(default=None, description="BLS keystore")
    bls_password_file: Path | None = Field(default=None, description="file with its password")
    bls_password: SecretStr | None = Field(
        default=None, description="its password; only from the environment"
    )
    devnet_bls_secret: SecretStr | None = Field(
        default=None,
        description="plain BLS key (hex), accepted on chain id 31337 only; only from the environment",
    )
    aggregator_urls: tuple[str, ...] = Field(
        default=("http://127.0.0.1:8090",), min_length=1, description="BLS aggregators"
    )
    host: Host = Field(default="127.0.0.1", description="address of health and metrics")
    port: int = Field(default=0, ge=0, le=65_535, description="port of health and metrics; 0: a free one")
    max_batch_bytes: int = Field(default=256 * MIB, gt=0, description="largest batch file")
    max_batch_proofs: int = Field(default=8_192, gt=0, description="most proofs in a batch")
    download_timeout_s: float = Field(default=60.0, gt=0, description="time limit for one batch file")
    allow_private_hosts: bool = Field(
        default=False, description="also download from private addresses (devnet)"
    )
    allow_redirects: bool = Field(default=False, description="follow redirects of batch files")
    verifier_workers: int = Field(default=0, ge=0, description="verifier processes; 0: one more than cores")
    verifier_timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="time limit for one proof; at least three times the batcher's, so that no proof"
        " passes there and times out here",
    )
    socket: str = Field(default="", max_length=256, description="contact that is registered with the key")
    task_workers: int = Field(default=4, gt=0, le=64, description="batches verified at a time")
    download_workers: int = Field(
        default=6, gt=0, le=64, description="batches downloaded at a time; each takes the memory of its file"
    )
    download_min_bytes_per_s: int = Field(
        default=65_536, ge=0, description="least average rate of a download after its first 5 s; 0: any"
    )
    sender_tasks: int = Field(
        default=2,
        gt=0,
        description="most batches of one sender in work at a time, so that it holds up no other",
    )
    lease_s: float = Field(
        default=15.0, gt=0, description="a batch is taken over so long after its worker died"
    )
    retry_s: float = Field(
        default=1.0, gt=0, description="first pause after a failed download or report; doubles"
    )
    max_retry_s: float = Field(default=60.0, gt=0, description="longest such pause")
    report_timeout_s: float = Field(
        default=10.0, gt=0, description="time limit for one request to an aggregator, answer included"
    )
    report_workers: int = Field(
        default=4,
        gt=0,
        le=64,
        description="requests to one aggregator at a time; each aggregator has its own",
    )
    give_up_blocks: int = Field(
        default=10,
        gt=0,
        description="a batch that cannot be had is refused so many blocks before its window ends",
    )


class AggregatorSettings(KeySettings):
    """The BLS aggregator."""

    host: Host = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8090, ge=0, le=65_535, description="port of the HTTP API")
    late_signer_wait_s: float = Field(
        default=1.0, ge=0, description="wait for further signers once the quorum is there"
    )
    max_body_bytes: int = Field(default=16_384, gt=0, description="largest request body")
    task_timeout_s: float = Field(default=600.0, gt=0, description="time limit for getting an answer mined")
    task_workers: int = Field(default=4, gt=0, le=64, description="tasks worked on at a time")
    lease_s: float = Field(
        default=15.0, gt=0, description="a task is taken over so long after its worker died"
    )
    recheck_s: float = Field(
        default=10.0, gt=0, description="pause between looks at a task on which nobody votes"
    )
    max_retry_s: float = Field(
        default=60.0, gt=0, description="longest pause after a failed answer; pauses double from recheck_s"
    )
    answer_min_fee_percent: int = Field(
        default=90,
        ge=0,
        description="least share of an answer's cost that the task's fee must pay; dearer answers wait"
        " for a lower gas price, also when they are pending; 0: answer always",
    )
    give_up_after_s: float = Field(
        default=120.0, gt=0, description="a pending answer is cancelled when it is too dear for so long"
    )
    unknown_task_wait_s: float = Field(
        default=2.0, ge=0, description="how long a vote waits for a task not seen yet"
    )
    requests_per_s: float = Field(
        default=50.0, gt=0, description="requests a client address may make a second"
    )
    request_burst: int = Field(default=500, gt=0, description="requests a client address may make at once")
    votes_per_s: float = Field(
        default=5.0, gt=0, description="votes a second for one operator from one client address"
    )
    vote_burst: int = Field(default=100, gt=0, description="such votes at once")


class SdkSettings(KeySettings):
    """The client."""

    batcher_url: str = Field(default="ws://127.0.0.1:8080", description="WebSocket URL of the batcher")
    submit_timeout_s: float = Field(default=120.0, gt=0, description="deadline of a submission")
    wait_timeout_s: float = Field(default=1_800.0, gt=0, description="deadline of a wait for verification")
    max_fee_wei: int = Field(default=0, ge=0, description="most that one proof may cost; 0: estimate")
