"""HTTP answers of a batcher that may be broken or hostile: a value or an AlignedError, nothing else."""

from __future__ import annotations

import contextlib
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.core.errors import AlignedError
from aligned.sdk.batcher_http import BatcherHttp

LEAF, ADDRESS = bytes(32), bytes(20)
ROW = {
    "sender": "0x" + "11" * 20,
    "nonce": 1,
    "state": "queued",
    "position": 0,
    "deadline": 5,
    "receipt_signature": "0x" + "22" * 65,
    "reason": None,
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ROW, "index"]), inner),
    max_leaves=8,
)


def answering(body: bytes, status: int = 200) -> BatcherHttp:
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, content=body))
    return BatcherHttp("http://batcher", transport)


async def ask_all(http: BatcherHttp) -> list[str]:
    """Codes of the errors of each question; "ok" for an answer."""
    codes = []
    for question in (http.submissions(LEAF), http.next_nonce(ADDRESS), http.quote()):
        try:
            await question
            codes.append("ok")
        except AlignedError as error:
            codes.append(error.code)
    return codes


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"nonce":' * 100_000,
        b'{"submissions": [[]], "nonce": ' + b"9" * 5_000 + b"}",
        b'{"submissions": [5], "nonce": "' + b"9" * 5_000 + b'"}',
        b'{"submissions": 5, "nonce": 1e400}',
        b'{"submissions": [null], "nonce": -1}',
        b'{"submissions": ["text"], "nonce": true}',
        b'{"submissions": [{"sender": 5}], "nonce": []}',
        b"\xff\xfe",
    ],
)
async def test_answer__hostile__an_aligned_error(body: bytes) -> None:
    codes = await ask_all(answering(body))
    assert "ok" not in codes[:2]


@pytest.mark.parametrize("body", [b'{"code": ["x"], "detail": {"self": 1}}', b"[" * 200_000, b"5"])
@pytest.mark.parametrize("status", [400, 429, 503])
async def test_problem__hostile__an_aligned_error(body: bytes, status: int) -> None:
    assert "ok" not in await ask_all(answering(body, status))


async def test_submission__all_entries_as_promised__read() -> None:
    (found,) = await answering(json.dumps({"submissions": [ROW]}).encode()).submissions(LEAF)
    assert (found.nonce, found.state, found.position, found.reason) == (1, "queued", 0, None)


@given(st.sampled_from([*ROW, "index", "task_block", "path", "batch_root", "tx_hash"]), json_values)
async def test_submission__any_entry_replaced__value_or_aligned_error(name: str, value: object) -> None:
    body = json.dumps({"submissions": [ROW | {name: value}]}).encode()
    with contextlib.suppress(AlignedError):
        (found,) = await answering(body).submissions(LEAF)
        assert found.position is None or found.position >= 0


@pytest.mark.parametrize(
    ("changes", "state", "confirmations"),
    [
        ({"state": "posted"}, "included", None),
        ({"state": "posted", "depth": "included", "confirmations": 3}, "included", 3),
        ({"state": "verified", "depth": "final", "confirmations": 70}, "final", 70),
    ],
)
async def test_submissions__depth_and_confirmations__read_from_old_and_new_batchers(
    changes: dict[str, object], state: str, confirmations: int | None
) -> None:
    http = answering(json.dumps({"submissions": [ROW | changes]}).encode())
    (found,) = await http.submissions(LEAF)
    assert (found.state, found.confirmations) == (state, confirmations)


@pytest.mark.parametrize(
    "changes", [{"depth": "deep"}, {"depth": {"a": 1}}, {"confirmations": -1}, {"depth": 5}]
)
async def test_submissions__depth_of_another_kind__refused(changes: dict[str, object]) -> None:
    with pytest.raises(AlignedError):
        await answering(json.dumps({"submissions": [ROW | changes]}).encode()).submissions(LEAF)
