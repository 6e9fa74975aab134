"""The sender's process is killed (SIGKILL) at every step, restarted, and the chain counts."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest

from aligned.storage.postgres import Database
from tests.integration.chain.code import BLOB_COUNTER, COUNTER, TARGET, count, place
from tests.integration.chain.sending import attempts_of, until, until_pending
from tests.integration.node import Anvil

STEPS = ("simulated", "journaled", "broadcast", "raised", "mined", "settled")
WORD = "01" * 32

_CHILD = """
import asyncio, os, signal, sys
from eth_account import Account
from aligned.chain.client import ChainClient
from aligned.chain.errors import TxCancelled
from aligned.chain.sender import TxSender
from aligned.core.blob import encode_blobs
from aligned.storage.postgres import Database

url, rpc, secret, target, data, blob, crash_at, worth_wei = sys.argv[1:]
limit = {"max_fee_wei": int(worth_wei), "give_up_after_s": 0.1} if worth_wei else {}
blobs = [encode_blobs([bytes.fromhex(blob)])[0]] if blob else []

def on_step(step):
    print(step, flush=True)
    if step == crash_at:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with Database(url) as db, ChainClient([rpc], 31337, timeout_s=60) as client:
        account = Account.from_key(secret)
        sender = TxSender(db, client, account, poll_s=0.02, bump_after_s=0.1, on_step=on_step)
        call = ("k", bytes.fromhex(target), bytes.fromhex(data))
        try:
            receipt = await sender.send(*call, timeout_s=90, blobs=blobs, **limit)
        except TxCancelled as error:
            print("given up", error.tx_hash.hex(), flush=True)
        else:
            print("receipt", receipt.tx_hash.hex(), flush=True)

asyncio.run(main())
"""


class _Child:
    """One life of the sending process."""

    def __init__(
        self, url: str, node: Anvil, secret: str, crash_at: str, blob: str = "", worth: str = ""
    ) -> None:
        call = (secret, TARGET.hex(), WORD, blob, crash_at, worth)
        command = [sys.executable, "-c", _CHILD, url, node.url, *call]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_for(self, step: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == step:
                return
        raise AssertionError(f"never {step}: {self._process.stderr and self._process.stderr.read()}")

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> tuple[int, str]:
        out, err = self._process.communicate(timeout=180)
        assert self._process.returncode in {0, -signal.SIGKILL}, err
        return self._process.returncode, out


@pytest.mark.parametrize("blob", ["", WORD])
@pytest.mark.parametrize("crash_at", STEPS)
async def test_send__killed_at_a_step_and_restarted__one_transaction(
    postgres: str, database: Database, crash_at: str, blob: str
) -> None:
    assert database is not None  # its tables are in `postgres`
    with Anvil("--no-mining") as node:
        place(node, BLOB_COUNTER if blob else COUNTER)
        account = node.new_account()
        first = _Child(postgres, node, account.key.hex(), crash_at, blob)
        if crash_at in {"mined", "settled"}:
            first.wait_for("broadcast")
            node.mine()
        code, _out = await asyncio.to_thread(first.end)
        assert code == -signal.SIGKILL

        second = _Child(postgres, node, account.key.hex(), "", blob)
        if crash_at not in {"mined", "settled"}:
            second.wait_for("raised")  # its own look at the pending form, before anything is mined
            second.wait_for("broadcast")
            node.mine()
        code, out = await asyncio.to_thread(second.end)

        assert (code, "receipt" in out) == (0, True)
        node.mine(3)
        assert (count(node), node.nonce(account.address)) == (1, 1)


async def test_send__killed_at_every_step_in_turn__one_transaction(postgres: str, database: Database) -> None:
    assert database is not None
    with Anvil("--no-mining") as node:
        place(node, COUNTER)
        account = node.new_account()
        for crash_at in ("simulated", "journaled", "broadcast", "raised", "broadcast"):
            code, _out = await asyncio.to_thread(_Child(postgres, node, account.key.hex(), crash_at).end)
            assert code == -signal.SIGKILL
        node.mine()
        for crash_at in ("mined", "settled"):
            code, _out = await asyncio.to_thread(_Child(postgres, node, account.key.hex(), crash_at).end)
            assert code == -signal.SIGKILL
        code, _out = await asyncio.to_thread(_Child(postgres, node, account.key.hex(), "").end)
        assert code == 0
        node.mine(3)
        assert (count(node), node.nonce(account.address)) == (1, 1)


@pytest.mark.parametrize("crash_at", ["given_up", "mined", "settled"])
async def test_send__killed_while_giving_up__is_given_up_once(
    postgres: str, database: Database, crash_at: str
) -> None:
    worth_wei = str(20 * 10**9)
    with Anvil("--no-mining") as node:
        place(node, COUNTER)
        account = node.new_account()
        first = _Child(postgres, node, account.key.hex(), crash_at, worth=worth_wei)
        await asyncio.to_thread(first.wait_for, "broadcast")
        node.rpc("anvil_setNextBlockBaseFeePerGas", hex(100 * 10**9))
        node.mine()

        async def given_up() -> bool:
            return bool((await attempts_of(database, "k"))[-1]["is_cancel"])

        await until(given_up)
        if crash_at == "given_up":
            first.kill()
        else:
            await until_pending(node)
            node.mine()
        code, _out = await asyncio.to_thread(first.end)
        assert code == -signal.SIGKILL

        second = _Child(postgres, node, account.key.hex(), "", worth=worth_wei)
        if crash_at == "given_up":
            await until_pending(node)
            node.mine()
        code, out = await asyncio.to_thread(second.end)
        assert (code, "given up" in out) == (0, True)
        assert (count(node), node.nonce(account.address)) == (0, 1)
