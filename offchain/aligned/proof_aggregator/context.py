"""What the steps of the aggregator share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aligned.chain.client import ChainClient
from aligned.chain.contracts import AggregationService
from aligned.chain.sender import TxSender
from aligned.core.aggregation import AggregationSystem
from aligned.loops import Backoff
from aligned.proof_aggregator.budget import Costs
from aligned.proof_aggregator.metrics import ProofAggregatorMetrics
from aligned.provers.base import ProvingEngine
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database


@dataclass(frozen=True, slots=True)
class Line:
    """How one system is aggregated: which engine proves, and which program the contract knows."""

    system: AggregationSystem
    engine: ProvingEngine
    program_id: bytes

    @property
    def level(self) -> str:
        """The level's name, as in the database."""
        return self.engine.level.value


@dataclass(frozen=True, slots=True)
class Patience:
    """Times of the aggregator, in seconds, and its attempts."""

    lease_s: float
    send_timeout_s: float
    poll_s: float
    max_attempts: int
    backoff: Backoff
    give_up_after_s: float


@dataclass(frozen=True, slots=True)
class Context:
    """Open dependencies.

    Attributes:
        final_blocks: blocks after which a root counts as final; 0: the chain's finalized block decides.
        costs: of an aggregation, and the budget for them.
        input_dir: where proofs lie while they are proved.
        engine_dir: where the engines keep results.
    """

    db: Database
    store: ObjectStore
    client: ChainClient
    service: AggregationService
    sender: TxSender
    lines: Mapping[AggregationSystem, Line]
    metrics: ProofAggregatorMetrics
    patience: Patience
    costs: Costs
    input_dir: Path
    engine_dir: Path
    max_proof_bytes: int
    keep_proofs: bool
    final_blocks: int
    deployed_block: int
