"""A payments poller that is killed at the worst moments counts every payment once."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from eth_account.signers.local import LocalAccount

from aligned.storage.postgres import Database
from tests.faults.poller.process import READING, TAKING_BACK
from tests.faults.processes import module_process, until, write_settings
from tests.integration.poller.harness import Payments
from tests.integration.rig import running_rig


@dataclass
class Bed:
    """A chain, a poller's settings, and its database."""

    payments: Payments
    settings: Path
    database_url: str

    def poller(self, moment: str = "never") -> AbstractContextManager[subprocess.Popen[bytes]]:
        return module_process("tests.faults.poller.process", self.settings, str(self.settings), moment)

    def dies(self, moment: str) -> None:
        """Runs a poller until it has killed itself."""
        with self.poller(moment) as process:
            assert process.wait(60) == -signal.SIGKILL

    def rows(self, account: LocalAccount) -> list[tuple[int, int, bool]]:
        """(event index, used, orphaned) of its quotas."""
        with psycopg.connect(self.database_url) as conn:
            found = conn.execute(
                "SELECT event_index, used, orphaned FROM quotas JOIN payments ON payments.id = payment_id"
                " WHERE quotas.address = %s ORDER BY event_index, kind",
                (bytes.fromhex(account.address[2:]),),
            )
            return found.fetchall()

    def use_one(self, account: LocalAccount) -> None:
        """As the gateway does."""
        with psycopg.connect(self.database_url) as conn:
            conn.execute(
                "UPDATE quotas SET used = used + 1 WHERE address = %s", (bytes.fromhex(account.address[2:]),)
            )

    def comes_to(self, account: LocalAccount, rows: list[tuple[int, int, bool]]) -> None:
        """Runs a poller until the rows are these and it has read to the head."""
        with self.poller():
            until(lambda: self._next_block() == self.head() + 1 and self.rows(account) == rows, str(rows))

    def head(self) -> int:
        return self.payments.rig.web3.eth.block_number

    def _next_block(self) -> int | None:
        with psycopg.connect(self.database_url) as conn:
            if conn.execute("SELECT to_regclass('chain_cursor')").fetchone() == (None,):
                return None
            row = conn.execute("SELECT next_block FROM chain_cursor").fetchone()
            return None if row is None else int(row[0])


@pytest.fixture
def bed(tmp_path: Path, postgres: str) -> Iterator[Bed]:
    with running_rig(tmp_path, operators=0) as rig:
        settings = write_settings(rig.settings(postgres), tmp_path / "poller.json")
        yield Bed(Payments(rig, Database(postgres)), settings, postgres)


@pytest.mark.parametrize("moment", READING)
def test_poller__killed_while_it_reads__has_every_event_of_a_transaction_once(bed: Bed, moment: str) -> None:
    account, other = (bed.payments.rig.node.new_account() for _ in range(2))
    bed.payments.grant([account, other, account], 3)
    bed.dies(moment)
    # All of the transaction or nothing of it.
    assert moment == "committed" or _is_empty(bed)
    bed.comes_to(account, [(0, 0, False), (2, 0, False)])
    assert bed.rows(other) == [(1, 0, False)]


@pytest.mark.parametrize("moment", TAKING_BACK)
def test_poller__killed_while_it_takes_blocks_back__takes_them_back(bed: Bed, moment: str) -> None:
    node, account = bed.payments.rig.node, bed.payments.rig.node.new_account()
    before = node.rpc("evm_snapshot")
    bed.payments.pay(account)
    bed.comes_to(account, [(0, 0, False)])
    bed.use_one(account)
    _forget_since(bed, before)
    node.mine(2)
    bed.dies(moment)
    bed.comes_to(account, [(0, 1, True)])


@pytest.mark.parametrize("moment", [*READING, "undone"])
def test_poller__killed_on_a_payment_that_is_mined_again__keeps_what_was_used(bed: Bed, moment: str) -> None:
    node, account = bed.payments.rig.node, bed.payments.rig.node.new_account()
    payment = bed.payments.signed(account)
    before = node.rpc("evm_snapshot")
    bed.payments.send(payment)
    bed.comes_to(account, [(0, 0, False)])
    bed.use_one(account)
    _forget_since(bed, before)
    node.mine()
    bed.payments.send(payment)
    bed.dies(moment)
    bed.comes_to(account, [(0, 1, False)])


def test_poller__killed_by_hand_over_and_over_while_payments_come__counts_each_once(bed: Bed) -> None:
    accounts = [bed.payments.rig.node.new_account() for _ in range(4)]
    for account in accounts:
        with bed.poller() as process:
            bed.payments.pay(account)
            process.kill()
            process.wait()
        bed.payments.grant([account], 2)
    bed.comes_to(accounts[-1], [(0, 0, False), (0, 0, False)])
    assert [len(bed.rows(account)) for account in accounts] == [2] * 4


def _is_empty(bed: Bed) -> bool:
    with psycopg.connect(bed.database_url) as conn:
        return conn.execute("SELECT 1 FROM payments").fetchone() is None


def _forget_since(bed: Bed, snapshot: object) -> None:
    bed.payments.rig.node.rpc("evm_revert", snapshot)
    bed.payments.rig.node.rpc("evm_increaseTime", 100)
