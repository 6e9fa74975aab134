"""How long rows are kept that nothing needs any more."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

# A hundred years; beyond some thousands the database has no dates.
_MAX_DAYS: Final = 36_500


class RetentionSettings(BaseModel):
    """Ages in days, counted from the last change of a row or its arrival; 0 keeps such rows for ever."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    enabled: bool = Field(default=True, description="each role deletes what is too old, once a day")
    hour_utc: int = Field(default=3, ge=0, le=23, description="hour of the day at which it does so")
    piece_rows: int = Field(
        default=1_000, gt=0, le=100_000, description="most rows deleted in one transaction"
    )
    transactions_days: float = Field(
        default=90.0,
        ge=0,
        le=_MAX_DAYS,
        description="journal of transactions that are settled (the latest 256 stay)",
    )
    submissions_days: float = Field(
        default=90.0,
        ge=0,
        le=_MAX_DAYS,
        description="batcher: proofs of final batches, and those given up; their receipts go too",
    )
    batches_days: float = Field(
        default=90.0, ge=0, le=_MAX_DAYS, description="batcher: failed batches, and payers of settled ones"
    )
    operator_tasks_days: float = Field(
        default=30.0, ge=0, le=_MAX_DAYS, description="operator: tasks that are over"
    )
    aggregator_tasks_days: float = Field(
        default=30.0,
        ge=0,
        le=_MAX_DAYS,
        description="BLS aggregator: tasks that are over, with operators and votes",
    )
    rejected_proofs_days: float = Field(
        default=30.0, ge=0, le=_MAX_DAYS, description="aggregation mode: rejected proofs"
    )
    history_days: float = Field(
        default=90.0,
        ge=0,
        le=_MAX_DAYS,
        description="aggregation mode: history of proofs and roots that are final",
    )
    intake_days: float = Field(
        default=30.0,
        ge=0,
        le=_MAX_DAYS,
        description="aggregation mode: fast-mode batches that were taken in or given up",
    )
    failed_aggregations_days: float = Field(
        default=90.0,
        ge=0,
        le=_MAX_DAYS,
        description="aggregation mode: failed aggregations and chunks that were split",
    )
    final_aggregations_days: float = Field(
        default=0.0,
        ge=0,
        le=_MAX_DAYS,
        description="aggregation mode: final aggregations with proofs, receipts and leaves; 0: for ever",
    )
