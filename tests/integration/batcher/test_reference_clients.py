"""The reference's own clients over a real WebSocket: what happens to their proofs after they were accepted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import pytest
from websockets.exceptions import ConnectionClosed

from aligned.core.commitment import commit
from aligned.core.merkle import verify_path
from aligned.core.types import VerificationData
from aligned.storage.postgres import Database
from aligned.verifiers.pool import VerifierPool
from tests.integration.batcher.clients import MAX_FEE_WEI, Client, HelloClient, ReferenceClient, User
from tests.integration.batcher.conftest import Running, eventually, running_batcher
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.helpers import hold_blocks, submit
from tests.integration.batcher.proofs import small, sp1
from tests.integration.batcher.raw import BINARY, RawClient, frame


def later(user: User, data: VerificationData, nonce: int, max_fee_wei: int = MAX_FEE_WEI) -> dict[str, Any]:
    """As the later clients write it: byte strings, absent fields left out."""
    message = user.message(data, nonce, arrays=False, max_fee_wei=max_fee_wei)
    inner = message["verification_data"]["verification_data"]
    message["verification_data"]["verification_data"] = {k: v for k, v in inner.items() if v is not None}
    return {"SubmitProof": message}


async def replace_proof(batcher: Running, user: User, nonce: int) -> None:
    async with HelloClient(batcher.url) as other:
        reply = await other.ask(user.message(small(77), nonce, max_fee_wei=2 * MAX_FEE_WEI))
        assert "Receipt" in reply, reply


async def test_v010__its_only_proof_is_replaced__batch_reset_and_the_connection_ends(
    batcher: Running, user: User
) -> None:
    """An `Error` would be counted as a success."""
    await hold_blocks(batcher)
    async with ReferenceClient(batcher.url) as client:
        await client.submit(user, [small(0)], 0)
        await replace_proof(batcher, user, 0)
        assert await client.read() == "BatchReset"
        with pytest.raises(ConnectionClosed):
            await client.read()


async def test_v010__first_of_three_replaced__reset_and_nothing_that_it_would_match_wrongly(
    batcher: Running, user: User
) -> None:
    await hold_blocks(batcher)
    async with ReferenceClient(batcher.url) as client:
        await client.submit(user, [small(0), small(1), small(2)], 0)
        await replace_proof(batcher, user, 0)
        batcher.chain.mine(3)
        assert await client.read() == "BatchReset"
        with pytest.raises(ConnectionClosed):
            await client.read()


async def test_v010__second_of_three_replaced__inclusion_of_the_first_then_texts(
    batcher: Running, user: User
) -> None:
    """It matches by order, so the third one's inclusion data would be held against the second proof."""
    await hold_blocks(batcher)
    async with ReferenceClient(batcher.url) as client:
        await client.submit(user, [small(0), small(1), small(2)], 0)
        await replace_proof(batcher, user, 1)
        batcher.chain.mine(3)
        await client.inclusions([small(0)])
        assert "nonce 1 will be in no batch" in (await client.read())["Error"]
        assert commit(small(2)).leaf.hex() in (await client.read())["Error"]


async def test_v010__sp1_without_a_public_input__taken_and_its_leaf_commits_to_none(
    batcher: Running, user: User
) -> None:
    """Its command line has no public input for SP1."""
    proof = replace(sp1("fib_a", "fib"), pub_input=None)
    async with ReferenceClient(batcher.url) as client:
        await client.submit(user, [proof], 0)
        await client.inclusions([proof])
    assert commit(proof).pub_input == bytes(32)


async def test_v010__message_above_the_limit__proof_too_large_after_the_whole_upload(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    async with (
        running_batcher(db, chain, pool, tmp_path, max_proof_bytes=100_000) as batcher,
        RawClient(batcher.port) as client,
    ):
        upload = frame(BINARY, bytes(8 << 20))
        for start in range(0, len(upload), 1 << 18):
            await client.send(upload[start : start + (1 << 18)])
        opcode, payload = await client.read()
        assert (opcode, cbor2.loads(payload)) == (BINARY, "ProofTooLarge")
        assert await client.close_code() == 1009


async def test_v010__fragments_above_the_limit__proof_too_large(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> None:
    async with (
        running_batcher(db, chain, pool, tmp_path, max_proof_bytes=100_000) as batcher,
        RawClient(batcher.port) as client,
    ):
        await client.send(frame(BINARY, bytes(150_000), fin=False))
        await client.send(frame(0, bytes(150_000)))
        assert cbor2.loads((await client.read())[1]) == "ProofTooLarge"
        assert await client.close_code() == 1009


async def test_later_client__asks_and_submits_two__inclusions_in_order_with_nonces(
    batcher: Running, user: User
) -> None:
    await hold_blocks(batcher)
    address = "0x" + user.address.hex()
    async with Client(batcher.url) as client:
        assert await client.ask({"GetNonceForAddress": address}) == {"Nonce": "0x0"}
        assert await client.ask({"GetLastMaxFee": address}) == {"LastMaxFee": hex(2**256 - 1)}
        await client.send(later(user, small(0), 0))
        await client.send(later(user, small(1), 1, max_fee_wei=MAX_FEE_WEI + 1))

        async def has_both() -> bool:
            return bool(await client.ask({"GetNonceForAddress": address}) == {"Nonce": "0x2"})

        await eventually(has_both)
        assert await client.ask({"GetLastMaxFee": address}) == {"LastMaxFee": hex(MAX_FEE_WEI + 1)}
        batcher.chain.mine(3)
        for nonce in range(2):
            body = (await client.read())["BatchInclusionData"]
            path = b"".join(map(bytes, body["batch_inclusion_proof"]["merkle_path"]))
            root, leaf = bytes(body["batch_merkle_root"]), commit(small(nonce)).leaf
            assert verify_path(leaf, body["index_in_batch"], path, root)
            assert body["user_nonce"] == hex(nonce)


async def test_later_client__refused_and_replaced__variants_that_end_its_run(
    batcher: Running, user: User
) -> None:
    await hold_blocks(batcher)
    async with Client(batcher.url) as client:
        assert await client.ask(later(user, small(0), 0, max_fee_wei=1)) == "UnderpricedProof"
        assert await client.ask(later(user, small(0), 7)) == "InvalidNonce"
        await client.send(later(user, small(0), 0))
        async with HelloClient(batcher.url) as other:
            await eventually(lambda: _is_next(batcher, user, 1))
            await submit(other, user, 0, 2 * MAX_FEE_WEI)
        assert await client.read() == "ProofReplaced"


async def _is_next(batcher: Running, user: User, nonce: int) -> bool:
    page = await batcher.get(f"/v1/nonce/0x{user.address.hex()}")
    return bool(page.json()["nonce"] == nonce)


async def test_clients__of_two_kinds_on_one_connection__refused(batcher: Running, user: User) -> None:
    async with Client(batcher.url) as client:
        await client.ask({"GetNonceForAddress": "0x" + user.address.hex()})
        assert "another kind" in (await client.ask(user.message(small(), 0)))["Error"]
    async with HelloClient(batcher.url) as hello:
        assert await hello.code(later(user, small(), 0)) == "malformed_message"
    async with ReferenceClient(batcher.url) as reference:
        assert await reference.ask(user.message(small(), 5)) == "InvalidNonce"
        assert await reference.ask({"Hello": {"version": 1, "client": "x"}}) == "AddToBatchError"


async def test_later_client__chain_silent__rpc_error(batcher: Running, user: User) -> None:
    from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError

    async def fail(_address: bytes) -> None:
        raise DependencyError(CHAIN_UNAVAILABLE, "no endpoint answers")

    batcher.chain.account = fail  # type: ignore[method-assign,assignment]
    async with Client(batcher.url) as client:
        question = {"GetNonceForAddress": "0x" + user.address.hex()}
        assert await client.ask(question) == {"EthRpcError": "no endpoint answers"}
