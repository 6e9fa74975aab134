"""Blob transactions: simulated with their hashes, replaced at twice all three fees, never begun above a cap."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise
from typing import Any

import pytest
import rlp

from aligned.chain import kzg
from aligned.chain.fees import Caps
from aligned.chain.journal import Journal
from aligned.chain.kzg import Sidecar, check_sidecar, sidecar_of
from aligned.core.blob import encode_blobs
from aligned.core.errors import ConflictError, DependencyError
from aligned.storage.postgres import Connection, Database
from tests.integration.chain.code import BLOB_COUNTER, TARGET, count, place
from tests.integration.chain.sending import WORD, Make, attempts_of, until, until_attempts, until_pending
from tests.integration.node import Anvil

BLOBS = (encode_blobs([b"\x07" * 32])[0], encode_blobs([b"\x08" * 32] * 3)[0])
FEES = ("max_fee_wei", "priority_fee_wei", "blob_fee_wei")


def sidecar_in(raw: bytes) -> tuple[Sidecar, list[bytes]]:
    """What a signed form carries, and the hashes that its body names."""
    body, version, blobs, commitments, proofs = rlp.decode(raw[1:])
    assert (raw[0], version) == (3, b"\x01")
    return Sidecar(tuple(blobs), tuple(commitments), tuple(proofs)), body[10]


async def rows(database: Database, key: str) -> dict[str, Any]:
    async with database.transaction() as conn:
        found = await conn.execute("SELECT * FROM tx_request WHERE key = %s", (key,))
        row = await found.fetchone()
    assert row is not None
    return row


async def test_send__blobs__mined_once_and_paid_for(anvil: Anvil, make: Make, database: Database) -> None:
    place(anvil, BLOB_COUNTER)
    sender = make(anvil, anvil.new_account())
    receipt = await sender.send("k", TARGET, WORD, blobs=BLOBS)
    assert receipt.tx is not None
    assert receipt.logs[0].data == sidecar_of(BLOBS).versioned_hashes[0]
    assert (receipt.tx.blob_gas_used, receipt.tx.blob_gas_price_wei > 0) == (2 * 131_072, True)
    assert receipt.tx.fee_wei > receipt.tx.gas_used * receipt.tx.gas_price_wei
    assert await sender.send("k", TARGET, WORD, blobs=BLOBS) == receipt
    (attempt,) = await attempts_of(database, "k")
    check_sidecar(*sidecar_in(attempt["raw"]))
    assert count(anvil) == 1


async def test_send__sidecar__is_made_off_the_loop_and_before_the_account_is_locked(
    anvil: Anvil, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(anvil, BLOB_COUNTER)
    steps: list[str] = []
    lock, cell_proofs = Journal.lock, kzg._cell_proofs

    async def noted_lock(journal: Journal, conn: Connection) -> None:
        steps.append("lock")
        await lock(journal, conn)

    def noted_proofs(blob: bytes) -> list[bytes]:
        steps.append("loop" if threading.current_thread() is threading.main_thread() else "thread")
        return cell_proofs(blob)

    monkeypatch.setattr(Journal, "lock", noted_lock)
    monkeypatch.setattr(kzg, "_cell_proofs", noted_proofs)
    sidecar_of.cache_clear()
    await make(anvil, anvil.new_account()).send("k", TARGET, WORD, blobs=BLOBS)
    assert steps == ["thread", "thread", "lock"]


async def test_send__key_of_other_blobs__is_refused(anvil: Anvil, make: Make) -> None:
    place(anvil, BLOB_COUNTER)
    sender = make(anvil, anvil.new_account())
    await sender.send("k", TARGET, WORD, blobs=BLOBS)
    for others in (BLOBS[:1], BLOBS[::-1], ()):
        with pytest.raises(ConflictError, match="tx_key_reused"):
            await sender.send("k", TARGET, WORD, blobs=others)


async def test_send__blobs_not_mined__all_three_fees_double_with_a_valid_sidecar(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, BLOB_COUNTER)
    account = manual.new_account()
    sending = asyncio.create_task(
        make(manual, account, bump_after_s=0.05).send("k", TARGET, WORD, blobs=BLOBS)
    )
    await until_attempts(database, "k", 3)
    manual.mine()
    receipt = await sending
    attempts = await attempts_of(database, "k")
    for old, new in pairwise(attempts):
        assert new["nonce"] == old["nonce"] == 0
        assert all(new[fee] >= 2 * old[fee] > 0 for fee in FEES)
    for attempt in attempts:
        check_sidecar(*sidecar_in(attempt["raw"]))
    assert receipt.tx_hash in {row["tx_hash"] for row in attempts}
    manual.mine(3)
    assert (count(manual), manual.nonce(account.address)) == (1, 1)


async def test_send__done_while_blobs_wait__cancel_is_a_blob_transaction_too(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, BLOB_COUNTER)
    account = manual.new_account()
    is_done = False

    async def done() -> bool:
        return is_done

    sender = make(manual, account, bump_after_s=0.1)
    sending = asyncio.create_task(sender.send("k", TARGET, WORD, done=done, blobs=BLOBS))
    await until_pending(manual)
    is_done = True

    async def cancelled() -> bool:
        forms = [row["tx_hash"] for row in await attempts_of(database, "k") if row["is_cancel"]]
        return any(manual.rpc("eth_getTransactionByHash", "0x" + tx_hash.hex()) for tx_hash in forms)

    await until(cancelled)
    manual.mine()
    assert (await sending).state == "superseded"
    cancels = [row for row in await attempts_of(database, "k") if row["is_cancel"]]
    sidecar, hashes = sidecar_in(cancels[0]["raw"])
    check_sidecar(sidecar, hashes)
    assert (len(hashes), count(manual), manual.nonce(account.address)) == (1, 0, 1)


async def test_send__fees_above_a_cap__nothing_is_begun_until_they_fall(
    anvil: Anvil, make: Make, database: Database
) -> None:
    place(anvil, BLOB_COUNTER)
    account = anvil.new_account()
    gwei = 10**9
    anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * gwei))
    anvil.mine()
    sender = make(anvil, account, caps=Caps(20 * gwei, gwei))
    with pytest.raises(DependencyError, match="fees_above_cap"):
        await sender.send("k", TARGET, WORD, blobs=BLOBS)
    with pytest.raises(DependencyError, match="fees_above_cap"):
        await make(anvil, account, caps=Caps(500 * gwei, 0)).send("k", TARGET, WORD, blobs=BLOBS)
    assert await attempts_of(database, "k") == []
    anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(gwei))
    anvil.mine()
    await sender.send("k", TARGET, WORD, blobs=BLOBS)
    (attempt,) = await attempts_of(database, "k")
    assert (attempt["max_fee_wei"] <= 20 * gwei, attempt["blob_fee_wei"] <= gwei) == (True, True)


async def test_forget__settled__bytes_go_and_the_answer_stays(
    anvil: Anvil, make: Make, database: Database
) -> None:
    place(anvil, BLOB_COUNTER)
    sender = make(anvil, anvil.new_account())
    receipt = await sender.send("k", TARGET, WORD, blobs=BLOBS)
    await sender.forget("k")
    assert ((await rows(database, "k"))["blobs"], (await attempts_of(database, "k"))[0]["raw"]) == (b"", b"")
    assert await sender.send("k", TARGET, WORD, blobs=BLOBS) == receipt


async def test_forget__pending__keeps_everything(manual: Anvil, make: Make, database: Database) -> None:
    place(manual, BLOB_COUNTER)
    sender = make(manual, manual.new_account())
    sending = asyncio.create_task(sender.send("k", TARGET, WORD, blobs=BLOBS))
    await until_pending(manual)
    await sender.forget("k")
    assert (await rows(database, "k"))["blobs"] == b"".join(BLOBS)
    manual.mine()
    await sending
