"""Rows of the database as answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from aligned.core.aggregation import AggregationSystem
from aligned.core.types import HASH_BYTES
from aligned.wire.gateway import (
    Aggregation,
    AggregationPage,
    AggregationPlace,
    BlobRef,
    QuotaAnswer,
    QuotaRow,
    Receipt,
    ReceiptPage,
    Rejection,
    StateChange,
    System,
    encode_cursor,
)

Row = dict[str, Any]
SYSTEMS: Final[dict[int, System]] = {AggregationSystem.SP1: "sp1", AggregationSystem.RISC0: "risc0"}


def receipt_of(row: Row) -> Receipt:
    """A row of `storage.aggregation.receipts`."""
    reject = None
    if row["reject_code"] is not None:
        reject = Rejection(code=row["reject_code"], reason=row["reject_reason"] or "")
    histories = zip(row["history_states"], row["history_times"], row["history_details"], strict=True)
    return Receipt(
        id=row["id"],
        address=row["address"],
        system=SYSTEMS[row["system"]],
        program_id=row["program_id"],
        nonce=row["nonce"],
        state=row["state"],
        commitment=row["commitment"],
        leaf=row["leaf"],
        proof_hash=row["proof_hash"],
        received_at=row["received_at"],
        reject=reject,
        history=tuple(StateChange(state=state, at=at, detail=detail) for state, at, detail in histories),
        aggregation=None if row["aggregation_id"] is None else _place_of(row),
    )


def _place_of(row: Row) -> AggregationPlace:
    return AggregationPlace(
        id=row["aggregation_id"],
        level=row["level"],
        not_proved=row["not_proved"],
        state=row["aggregation_state"],
        root=row["root"],
        leaf_index=row["leaf_index"],
        leaf_count=row["leaf_count"],
        path=None if row["path"] is None else _words(row["path"]),
        tx_hash=row["tx_hash"],
        block_number=row["block_number"],
        block_hash=row["block_hash"],
        versioned_hashes=tuple(row["versioned_hashes"]),
        program_id=row["aggregation_program_id"],
    )


def receipt_page(rows: Iterable[Row], before: int | None) -> ReceiptPage:
    """A page of receipts."""
    return ReceiptPage(receipts=tuple(map(receipt_of, rows)), next=_cursor(before))


def aggregation_of(row: Row, history: Sequence[Row] = ()) -> Aggregation:
    """A row of `storage.aggregation.archive`."""
    blobs = zip(row["versioned_hashes"], row["kzg_commitments"], strict=True)
    fields = {name: row[name] for name in Aggregation.model_fields if name in row}
    return Aggregation(
        **fields
        | {
            "system": SYSTEMS[row["system"]],
            "blobs": tuple(BlobRef(versioned_hash=blob, kzg_commitment=opening) for blob, opening in blobs),
            "history": tuple(StateChange(**line) for line in history),
        }
    )


def aggregation_page(rows: Iterable[Row], before: int | None) -> AggregationPage:
    """A page of aggregations."""
    return AggregationPage(aggregations=tuple(map(aggregation_of, rows)), next=_cursor(before))


def quota_of(address: bytes, remaining: int, rows: Sequence[Row]) -> QuotaAnswer:
    """What an address may still submit."""
    return QuotaAnswer(
        address=address,
        remaining=remaining,
        rows=tuple(QuotaRow(**row) for row in rows),
        expires_s=max((row["valid_until_s"] for row in rows), default=0),
    )


def _cursor(before: int | None) -> str | None:
    return None if before is None else encode_cursor(before)


def _words(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES))
