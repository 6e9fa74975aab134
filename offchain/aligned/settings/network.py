"""Settings of what every role needs: the Ethereum network, and when a loop of a role counts as stuck."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from aligned.settings.sections import Section


class ChainSettings(Section):
    """The Ethereum network."""

    rpc_urls: tuple[str, ...] = Field(
        default=("http://127.0.0.1:8545",), min_length=1, description="RPC URLs, best first"
    )
    chain_id: int = Field(default=31337, gt=0, description="EIP-155 chain id that every URL must serve")
    deployment_file: Path = Field(
        default=Path("deployments/31337.json"), description="addresses of the contracts"
    )
    confirmations: int = Field(
        default=1, ge=1, description="blocks that must hold a transaction before it counts"
    )
    event_confirmations: int = Field(
        default=0, ge=0, description="blocks below the head where event readers stay"
    )
    poll_s: float = Field(default=1.0, gt=0, description="pause between looks at the chain")
    request_timeout_s: float = Field(default=10.0, gt=0, description="longest wait for one RPC request")
    max_lag_s: float = Field(
        default=60.0, gt=0, description="a role is not ready when its event reader succeeded so long ago"
    )
    max_head_age_s: float | None = Field(
        default=None,
        gt=0,
        description="a node whose newest block is older does not follow the chain: others are preferred, and a role"
        " without another is not ready; unset: 120, and no limit on chain id 31337, which may mine on demand",
    )
    head_look_s: float = Field(default=10.0, gt=0, description="pause between looks at the heads of all URLs")
    log_range_blocks: int = Field(default=2_000, gt=0, description="most blocks in one log query")
    bump_after_s: float = Field(
        default=30.0, gt=0, description="wait before the fees of a pending transaction are raised"
    )
    max_fee_gwei: int = Field(default=500, gt=0, description="most that a transaction of ours offers per gas")


class WatchdogSettings(Section):
    """When a loop of a role counts as stuck."""

    stall_s: float = Field(
        default=900.0,
        gt=0,
        description="longest time for one round of a loop, besides waits that its step announces; /healthz is 503 then",
    )
    end_after_s: float = Field(
        default=300.0, ge=0, description="how much later the role ends with an error, to be started anew"
    )
    blocked_s: float = Field(
        default=120.0, gt=0, description="how long the event loop may stand still before the process ends"
    )
