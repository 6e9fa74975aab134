"""A batcher that lies, breaks off or says nothing: the client believes nothing and always comes to an end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from eth_account import Account
from websockets.asyncio.server import ServerConnection

from aligned.core import errors
from aligned.core.commitment import commit
from aligned.core.errors import AlignedError, ConflictError, DependencyError, ProofError, ProtocolError
from aligned.core.merkle import MerkleTree
from aligned.sdk import AlignedClient, SubmitResult
from aligned.sdk import submission as submission_module
from aligned.wire import cbor
from aligned.wire.batcher import Submission
from aligned.wire.batcher_replies import HelloDialect, MessageRef, Receipt
from tests.integration.sdk.lying_batcher import Handler, LyingBatcher, answer_honestly, proof, running

DIALECT = HelloDialect()


async def submit(
    batcher: LyingBatcher, count: int = 1, timeout_s: float = 20, **options: Any
) -> list[SubmitResult]:
    async with running(batcher), AlignedClient(batcher.network, Account.create()) as client:
        proofs = [proof(number) for number in range(count)]
        return await client.submit(proofs, max_fee_wei=1, timeout_s=timeout_s, **options)


def codes(results: Sequence[SubmitResult]) -> list[str]:
    return ["ok" if result.error is None else result.error.code for result in results]


async def test_submit__honest_batcher__receipts_in_order() -> None:
    results = await submit(LyingBatcher(next_nonce=5), count=20)
    assert [result.unwrap().nonce for result in results] == list(range(5, 25))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"deadline_s": 1}, errors.INVALID_SIGNATURE),
        ({"signature": bytes(65)}, errors.INVALID_SIGNATURE),
        ({"signature": b"short"}, errors.INVALID_SIGNATURE),
        ({"leaf": bytes(32)}, errors.INVALID_SIGNATURE),
        ({"sender": bytes(20)}, errors.MALFORMED_MESSAGE),
        ({"nonce": 9}, errors.INVALID_SIGNATURE),
    ],
)
async def test_receipt__changed_after_signing__not_believed(changes: dict[str, Any], code: str) -> None:
    async def forge(batcher: LyingBatcher, socket: ServerConnection, submission: Submission) -> None:
        await socket.send(DIALECT.accepted(batcher.receipt(submission, **changes)))

    assert codes(await submit(LyingBatcher(on_submission=forge))) == [code]


async def test_receipt__signed_by_somebody_else__not_believed() -> None:
    impostor = LyingBatcher()

    async def forge(_batcher: LyingBatcher, socket: ServerConnection, submission: Submission) -> None:
        await socket.send(DIALECT.accepted(impostor.receipt(submission)))

    assert codes(await submit(LyingBatcher(on_submission=forge))) == [errors.INVALID_SIGNATURE]


async def test_receipt__of_the_first_proof_sent_again__not_taken_for_the_second() -> None:
    async def repeat(batcher: LyingBatcher, socket: ServerConnection, _submission: Submission) -> None:
        await socket.send(DIALECT.accepted(batcher.receipt(batcher.taken[0])))

    results = await submit(LyingBatcher(on_submission=repeat), count=2)
    assert codes(results) == ["ok", errors.MALFORMED_MESSAGE]


async def test_silence__deadline__every_proof_has_a_timeout() -> None:
    async def say_nothing(_batcher: LyingBatcher, _socket: ServerConnection, _submission: Submission) -> None:
        await asyncio.sleep(0)

    results = await submit(LyingBatcher(on_submission=say_nothing), count=3, timeout_s=0.5)
    assert codes(results) == [errors.TIMEOUT] * 3


@pytest.mark.parametrize("frame", [cbor.encode({"ProtocolVersion": 5}), cbor.encode("hello"), b"\xff", b""])
async def test_first_frame__another_version_or_garbage__nothing_is_sent(frame: bytes) -> None:
    batcher = LyingBatcher(first_frame=frame)
    with pytest.raises(ProtocolError):
        await submit(batcher)
    assert batcher.taken == []


async def test_hello__batcher_of_another_chain__nothing_is_sent() -> None:
    batcher = LyingBatcher(chain_id=1)
    with pytest.raises(ProtocolError) as caught:
        await submit(batcher)
    assert caught.value.code == errors.INVALID_CHAIN_ID
    assert batcher.taken == []


async def test_proof__larger_than_the_batcher_takes__refused_here_and_others_go_on() -> None:
    large = proof()
    batcher = LyingBatcher()
    async with running(batcher), AlignedClient(batcher.network, Account.create()) as client:
        too_large = type(large)(large.proving_system, bytes(2 << 20), None, None, None, bytes(20))
        results = await client.submit([proof(1), too_large, proof(2)], max_fee_wei=1, timeout_s=20)
    assert codes(results) == ["ok", errors.PROOF_TOO_LARGE, "ok"]
    assert [submission.nonce for submission in batcher.taken] == [0, 1]


async def test_connection__broken_after_each_second_answer__all_get_in_with_one_nonce_each() -> None:
    async def break_off(batcher: LyingBatcher, socket: ServerConnection, submission: Submission) -> None:
        await answer_honestly(batcher, socket, submission)
        if len(batcher.taken) in (2, 5):
            await socket.close()

    results = await submit(LyingBatcher(on_submission=break_off), count=6, timeout_s=60)
    assert [result.unwrap().nonce for result in results] == list(range(6))


async def test_connection__broken_after_every_answer__each_proof_has_all_its_retries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What one proof needed in retries is not taken from the next one."""
    monkeypatch.setattr(submission_module, "_FIRST_RETRY_S", 0.01)
    proofs = 2 * submission_module._MAX_RETRIES

    async def break_off(batcher: LyingBatcher, socket: ServerConnection, submission: Submission) -> None:
        await answer_honestly(batcher, socket, submission)
        await socket.close()

    results = await submit(LyingBatcher(on_submission=break_off), count=proofs, timeout_s=60)
    assert [result.unwrap().nonce for result in results] == list(range(proofs))


def swallowing(row_of: Callable[[LyingBatcher, Submission], Receipt]) -> Handler:
    """Says nothing to the first message and closes; then the nonce is used, and HTTP has the receipt `row_of` makes."""

    async def swallow_first(batcher: LyingBatcher, socket: ServerConnection, submission: Submission) -> None:
        if len(batcher.taken) == 1:
            receipt = row_of(batcher, submission)
            row = {
                "sender": "0x" + receipt.sender.hex(),
                "nonce": receipt.nonce,
                "state": "posted",
                "deadline": receipt.deadline_s,
                "receipt_signature": "0x" + receipt.signature.hex(),
            }
            batcher.proofs = json.dumps({"submissions": [row]}).encode()
            await socket.close()
        elif submission.nonce == 0:
            error = ConflictError(errors.NONCE_USED, "used")
            await socket.send(DIALECT.rejected(error, MessageRef(submission.sender, 0)))
        else:
            await answer_honestly(batcher, socket, submission)

    return swallow_first


async def test_connection__answer_swallowed_and_nonce_used__receipt_fetched_over_http() -> None:
    honest = swallowing(lambda batcher, submission: batcher.receipt(submission))
    results = await submit(LyingBatcher(on_submission=honest), count=1, timeout_s=60)
    assert results[0].unwrap().nonce == 0


async def test_connection__receipt_over_http_signed_by_somebody_else__not_believed() -> None:
    impostor = LyingBatcher()
    forged = swallowing(lambda _batcher, submission: impostor.receipt(submission))
    results = await submit(LyingBatcher(on_submission=forged), count=1, timeout_s=60)
    assert codes(results) == [errors.INVALID_SIGNATURE]


async def test_nonce__given_by_the_user_and_used__not_changed_behind_its_back() -> None:
    async def refuse(_batcher: LyingBatcher, socket: ServerConnection, submission: Submission) -> None:
        error = ConflictError(errors.NONCE_USED, "used")
        await socket.send(DIALECT.rejected(error, MessageRef(submission.sender, submission.nonce)))

    batcher = LyingBatcher(on_submission=refuse, next_nonce=7)
    assert codes(await submit(batcher, nonce=3)) == [errors.NONCE_USED]
    assert [submission.nonce for submission in batcher.taken] == [3]


async def wait(batcher: LyingBatcher, timeout_s: float = 0.5) -> AlignedError:
    async with running(batcher), AlignedClient(batcher.network) as client:
        with pytest.raises(AlignedError) as caught:
            await client.wait(proof(), until="posted", timeout_s=timeout_s)
    return caught.value


def posted(**changes: Any) -> bytes:
    leaves = [commit(proof(number)).leaf for number in range(3)]
    tree = MerkleTree(leaves)
    row = {
        "sender": "0x" + "11" * 20,
        "nonce": 0,
        "state": "posted",
        "deadline": 1,
        "receipt_signature": "0x" + "00" * 65,
        "batch_root": "0x" + tree.root.hex(),
        "path": "0x" + tree.path(0).hex(),
        "index": 0,
    }
    return json.dumps({"submissions": [row | changes]}).encode()


async def test_wait__honest_inclusion__believed_after_recomputing_the_root() -> None:
    batcher = LyingBatcher(proofs=posted())
    async with running(batcher), AlignedClient(batcher.network) as client:
        inclusion = await client.wait(proof(), until="posted", timeout_s=5)
        assert inclusion.verification_data().leaf == commit(proof()).leaf


@pytest.mark.parametrize(
    "changes", [{"index": 1}, {"batch_root": "0x" + "11" * 32}, {"path": "0x"}, {"index": 4}]
)
async def test_wait__path_that_leads_elsewhere__proof_error(changes: dict[str, Any]) -> None:
    assert isinstance(await wait(LyingBatcher(proofs=posted(**changes))), ProofError)


async def test_wait__batcher_that_is_gone_for_a_while__believed_once_it_is_back() -> None:
    batcher = LyingBatcher(proofs=posted())
    async with running(batcher):
        network = batcher.network
    async with AlignedClient(network) as client:
        waiting = asyncio.create_task(client.wait(proof(), until="posted", timeout_s=20))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        async with running(batcher, port=batcher.port):
            assert (await waiting).leaf == commit(proof()).leaf


async def test_wait__unknown_leaf__timeout_that_says_so() -> None:
    error = await wait(LyingBatcher())
    assert isinstance(error, DependencyError)
    assert "unknown to the batcher" in error.message


@pytest.mark.parametrize("state", ["failed", "refused", "replaced"])
async def test_wait__lost_proof__reason_at_once(state: str) -> None:
    error = await wait(LyingBatcher(proofs=posted(state=state, reason="too poor")), timeout_s=60)
    assert error.code == "proof_lost"
    assert "too poor" in error.message


_LONG = b"x" * (2 << 20)


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b'{"submissions": 5}', b'{"submissions": [{"state": "posted"}]}', _LONG, posted(state="?")],
    ids=["empty", "list", "number", "no sender", "too long", "unknown state"],
)
async def test_wait__malformed_answer__error_and_no_hang(answer: bytes) -> None:
    error = await wait(LyingBatcher(proofs=answer))
    assert error.code in (errors.MALFORMED_MESSAGE, errors.TIMEOUT)


async def test_reader__without_a_signer__cannot_submit() -> None:
    async with AlignedClient(LyingBatcher().network) as client:
        with pytest.raises(ProtocolError, match="no signer"):
            await client.submit([proof()])
        with pytest.raises(ProtocolError, match="no signer"):
            await client.deposit(1)
