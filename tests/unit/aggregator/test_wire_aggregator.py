"""Messages of the aggregator's API: exact lengths, nothing unknown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aligned.wire.aggregator import RefusalMessage, SignatureMessage, hex_of

GOOD: dict[str, Any] = {
    "batch_root": hex_of(b"\x01" * 32),
    "sender": hex_of(b"\x02" * 20),
    "task_block": 5,
    "operator_id": hex_of(b"\x03" * 32),
    "signature": hex_of(b"\x04" * 64),
}
REFUSAL = GOOD | {"leaf_index": 0, "leaf": hex_of(bytes(32)), "reason": "invalid_proof"}


def test_refusal__there_and_back__is_the_same() -> None:
    message = RefusalMessage.model_validate(REFUSAL)
    assert message.model_dump(mode="json") == REFUSAL


@given(
    st.sampled_from(sorted(REFUSAL)), st.none() | st.integers() | st.text(max_size=140) | st.lists(st.none())
)
def test_refusal__any_value_in_a_field__is_decoded_exactly_or_refused(field: str, value: object) -> None:
    body = REFUSAL | {field: value}
    try:
        message = RefusalMessage.model_validate(body)
    except ValidationError:
        return
    shown = message.model_dump(mode="json")[field]
    assert shown == (value.lower() if isinstance(value, str) and field != "reason" else value)


@pytest.mark.parametrize("field", sorted(GOOD))
def test_signature__field_missing__is_refused(field: str) -> None:
    with pytest.raises(ValidationError):
        SignatureMessage.model_validate({name: value for name, value in GOOD.items() if name != field})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reason", ""),
        ("reason", "Not a code"),
        ("reason", "a" * 65),
        ("reason", "ok\n"),
        ("leaf_index", 2**32),
        ("leaf_index", 1.0),
        ("leaf", "0x" + "0" * 63 + "g"),
        ("sender", "0X" + "00" * 20),
        ("sender", "00" * 21),
    ],
)
def test_refusal__malformed_value__is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        RefusalMessage.model_validate(REFUSAL | {field: value})
