"""Taking credits out never costs more than it brings."""

from __future__ import annotations

import pytest

from aligned.bls_aggregator.claim import claim
from aligned.core.errors import DependencyError
from tests.integration.rig import Rig
from tests.integration.votes import running_aggregator, signature_of

ROOT = b"\x11" * 32


async def test_claim__gas_dearer_than_the_credit__refused_then_paid_when_it_is_cheap(
    rig: Rig, postgres: str
) -> None:
    account = rig.node.new_account()
    task = rig.create_task(ROOT, "x")
    rig.node.mine()
    settings = rig.aggregator_settings(account, postgres)
    async with running_aggregator(settings) as aggregator:
        for operator in rig.operators:
            assert (await aggregator.sign(signature_of(rig, operator, task))).status_code == 202
        await aggregator.reaches(task, "answered")
    sent = rig.node.nonce(account.address)
    rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**15))
    rig.node.mine()
    with pytest.raises(DependencyError, match="less than taking them out costs") as caught:
        await claim(settings)
    assert caught.value.code == "fees_above_cap"
    assert rig.node.nonce(account.address) == sent
    rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    rig.node.mine()
    claimed = await claim(settings)
    assert claimed.amount_wei > 0
    assert claimed.tx_hash is not None
    assert rig.node.nonce(account.address) == sent + 1
