"""What the gateway says about proofs and aggregations, and what can be checked of it without asking anybody else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from pydantic_core import from_json

from aligned.core.aggregation import AggregationSystem, commitment, leaf_of, verify_inclusion
from aligned.core.errors import INVALID_PROOF, MALFORMED_MESSAGE, ProofError, ProtocolError
from aligned.core.text import decode_text
from aligned.sdk.answers import no_other_shape
from aligned.wire.gateway import AggregationPlace, Receipt

NOT_AGGREGATED: Final = "not_aggregated"
REJECTED: Final = "rejected"
M = TypeVar("M", bound=BaseModel)


def read(model: type[M], answer: Mapping[str, Any] | None) -> M:
    """An answer of the gateway as what it should be.

    Raises:
        ProtocolError: malformed_message.
    """
    with no_other_shape(f"gateway's {model.__name__}"):
        return model.model_validate(answer)


def read_receipt(text: str | bytes) -> Receipt:
    """A receipt out of a file.

    Raises:
        ProtocolError: malformed_message.
    """
    try:
        content = text if isinstance(text, str) else decode_text(text, "receipt")
        return read(Receipt, from_json(content))
    except ValueError as error:
        raise ProtocolError(MALFORMED_MESSAGE, f"not a receipt: {error}") from error


def placement(receipt: Receipt) -> tuple[AggregationPlace, int, bytes]:
    """Aggregation, leaf index and path (siblings concatenated) of a proof.

    Raises:
        ProofError: not_aggregated.
    """
    place = receipt.aggregation
    if place is None or place.leaf_index is None or place.path is None:
        raise ProofError(
            NOT_AGGREGATED, f"proof {receipt.id} is {receipt.state}: it has no place on chain yet"
        )
    return place, place.leaf_index, b"".join(place.path)


def check_receipt(receipt: Receipt, public_inputs: bytes | None = None) -> None:
    """Recomputes what needs no chain: commitment (if the public inputs are given), leaf, and the path to the root.

    It does not say that the root is on chain: `AggregationClient.verify_inclusion` asks.

    Raises:
        ProofError: invalid_proof, naming what does not fit; not_aggregated; the code of the rejection (root_revoked)
            where the receipt has one: it may still have a place, in a root that does not count.
    """
    _check_not_rejected(receipt)
    place, index, path = placement(receipt)
    if public_inputs is not None and commitment(public_inputs, receipt.program_id) != receipt.commitment:
        raise ProofError(INVALID_PROOF, "the public inputs and the program are not those of the receipt")
    if leaf_of(AggregationSystem.from_wire(receipt.system), receipt.commitment) != receipt.leaf:
        raise ProofError(INVALID_PROOF, "the receipt's leaf is not that of its commitment")
    if not verify_inclusion(place.root, place.leaf_count, receipt.leaf, index, path):
        text = f"the path does not lead from the leaf at {index} to 0x{place.root.hex()}"
        raise ProofError(INVALID_PROOF, text)


def _check_not_rejected(receipt: Receipt) -> None:
    if receipt.reject is not None:
        raise ProofError(receipt.reject.code, f"proof {receipt.id} was rejected: {receipt.reject.reason}")
    if receipt.state == "rejected":
        raise ProofError(REJECTED, f"proof {receipt.id} was rejected")
