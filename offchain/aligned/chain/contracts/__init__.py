"""Typed views, calldata and events of our contracts (contracts/interfaces is their documentation)."""

from aligned.chain.contracts.aggregation_payments import (
    AggregationPayments,
    PaymentTerms,
    QuotaGrant,
    UserPayment,
)
from aligned.chain.contracts.aggregation_service import (
    AggregatedProof,
    AggregatedRoot,
    AggregationService,
    ProgramState,
    ProgramStatus,
)
from aligned.chain.contracts.operator_registry import OperatorRegistry, Snapshot
from aligned.chain.contracts.payment_service import PaymentService
from aligned.chain.contracts.service_manager import (
    BatchState,
    BatchStatus,
    BatchVerified,
    NewBatch,
    ServiceConfig,
    ServiceManager,
)

__all__ = [
    "AggregatedProof",
    "AggregatedRoot",
    "AggregationPayments",
    "AggregationService",
    "BatchState",
    "BatchStatus",
    "BatchVerified",
    "NewBatch",
    "OperatorRegistry",
    "PaymentService",
    "PaymentTerms",
    "ProgramState",
    "ProgramStatus",
    "QuotaGrant",
    "ServiceConfig",
    "ServiceManager",
    "Snapshot",
    "UserPayment",
]
