"""Joining and leaving the operator set."""

from __future__ import annotations

import pytest

from aligned.chain.errors import TxReverted
from aligned.core.errors import ConflictError, ProtocolError
from aligned.operator.register import deregister, register, status
from tests.integration.rig import STAKE_WEI, Rig


async def test_register__with_a_bond__joins_the_set(rig: Rig, postgres: str) -> None:
    settings = rig.operator_settings(rig.new_operator(7), postgres, socket="operator.example:9000")
    assert not (await status(settings)).registered
    await register(settings, bond_wei=STAKE_WEI)
    after = await status(settings)
    assert (after.registered, after.stake_wei, after.operators) == (True, STAKE_WEI, 3)
    with pytest.raises(ConflictError):
        await register(settings)


async def test_register__without_stake__is_refused(rig: Rig, postgres: str) -> None:
    with pytest.raises(TxReverted) as caught:
        await register(rig.operator_settings(rig.new_operator(7), postgres))
    assert caught.value.error_name == "StakeTooLow"


async def test_register__key_of_another_operator__is_refused(rig: Rig, postgres: str) -> None:
    thief = rig.new_operator(7)
    settings = rig.operator_settings(thief, postgres, devnet_bls_secret=rig.operators[0].secret.raw.hex())
    with pytest.raises(TxReverted) as caught:
        await register(settings, bond_wei=STAKE_WEI)
    assert caught.value.error_name == "KeyAlreadyOwned"


async def test_deregister__registered__leaves_and_may_not_leave_twice(rig: Rig, postgres: str) -> None:
    settings = rig.operator_settings(rig.operators[0], postgres)
    await deregister(settings)
    assert (await status(settings)).operators == 1
    with pytest.raises(ConflictError):
        await deregister(settings)


async def test_register__plain_key_off_the_devnet__is_refused(rig: Rig, postgres: str) -> None:
    settings = rig.operator_settings(rig.new_operator(7), postgres)
    elsewhere = settings.model_copy(update={"chain": settings.chain.model_copy(update={"chain_id": 1})})
    with pytest.raises(ProtocolError) as caught:
        await register(elsewhere)
    assert caught.value.code == "invalid_settings"
