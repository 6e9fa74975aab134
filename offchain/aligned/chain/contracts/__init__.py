"""Typed views, calldata and events of our contracts (contracts/interfaces is their documentation)."""

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
    "BatchState",
    "BatchStatus",
    "BatchVerified",
    "NewBatch",
    "OperatorRegistry",
    "PaymentService",
    "ServiceConfig",
    "ServiceManager",
    "Snapshot",
]
