"""Operator registry: membership, histories, churn, ejection; and the local stake source under it."""

from __future__ import annotations

import bls_helper as bls
import pytest
from bls_helper import make_key
from quorum_helper import STAKE_WEI, bond_and_register, register
from reverting import revert_of


def snapshot(registry, index=-1):
    return registry.snapshots(registry.snapshotCount() - 1 if index < 0 else index)


def register_args(registry, account, key):
    digest = bytes(registry.possessionDigest(account))
    return key.g1, key.g2, key.sign(digest), bls.witness(digest), ""


def test_register__enough_stake__views_show_the_operator(registry, members):
    assert registry.operatorCount() == len(members)
    views = {view.operator: view for view in registry.operators()}
    for member in members:
        view = views[member.account.address]
        assert (view.operatorId, view.stake, view.stakeIndex) == (member.key.id, STAKE_WEI, 0)
        assert tuple(view.publicKeyG1) == member.key.g1
        assert registry.ownerOf(member.key.id) == member.account
        assert registry.operatorIdOf(member.account) == member.key.id
    assert tuple(registry.aggregateKey()) == bls.sum_g1([m.key.g1 for m in members])
    assert (snapshot(registry).totalStake, snapshot(registry).operatorCount) == (4 * STAKE_WEI, 4)


def test_register__twice__refused(registry, members):
    member = members[0]
    args = register_args(registry, member.account, member.key)
    assert revert_of(registry.register, *args, sender=member.account).startswith("AlreadyRegistered(")


def test_register__too_little_stake__refused(registry, members, stake_source, params, newcomer):
    stake_source.bond(value=params.registry.min_stake_wei - 1, sender=newcomer)
    args = register_args(registry, newcomer, make_key("poor"))
    assert revert_of(registry.register, *args, sender=newcomer).startswith("StakeTooLow(")


def test_register__socket_too_long__refused(registry, stake_source, newcomer):
    stake_source.bond(value=STAKE_WEI, sender=newcomer)
    args = (*register_args(registry, newcomer, make_key("long"))[:4], "x" * 257)
    assert revert_of(registry.register, *args, sender=newcomer) == "SocketTooLong(257, 256)"


def test_deregister__member__leaves_key_and_stake_out_of_the_next_snapshot(registry, members, chain):
    before = registry.snapshotCount() - 1
    registry.deregister(sender=members[0].account)
    assert tuple(registry.aggregateKey()) == bls.sum_g1([m.key.g1 for m in members[1:]])
    assert snapshot(registry).totalStake == 3 * STAKE_WEI
    assert snapshot(registry, before).nextBlock == snapshot(registry).fromBlock == chain.blocks.height
    assert registry.snapshotIndexAt(chain.blocks.height - 1) == before
    assert registry.snapshotIndexAt(chain.blocks.height) == before + 1
    last = registry.stakeRecords(members[0].key.id, registry.stakeRecordCount(members[0].key.id) - 1)
    assert (last.stake, last.nextBlock) == (0, 0)
    assert revert_of(registry.deregister, sender=members[0].account).startswith("NotRegistered(")


def test_snapshot_index__before_the_first_block__refused(registry, members):
    assert revert_of(registry.snapshotIndexAt, 0, sender=members[0].account).startswith(
        "SnapshotDoesNotCover("
    )


def test_unbonding__counts_no_more_from_the_same_block_on(registry, stake_source, members, chain):
    """The reference's stakes could be as old as the last update that somebody cared to send."""
    member = members[0]
    stake_source.startUnbonding(STAKE_WEI // 2, sender=member.account)
    assert snapshot(registry).totalStake == 4 * STAKE_WEI - STAKE_WEI // 2
    assert snapshot(registry).fromBlock == chain.blocks.height
    stake_source.startUnbonding(STAKE_WEI // 2, sender=member.account)
    assert not registry.isRegistered(member.account)


def test_unbonding__before_its_time__refused_then_paid(registry, stake_source, params, members, chain):
    member = members[0]
    stake_source.startUnbonding(STAKE_WEI, sender=member.account)
    assert revert_of(stake_source.finishUnbonding, sender=member.account).startswith("StillUnbonding(")
    assert params.stake.unbonding_blocks > params.service.response_window_blocks
    chain.mine(params.stake.unbonding_blocks)
    before = member.account.balance
    receipt = stake_source.finishUnbonding(sender=member.account)
    assert member.account.balance == before + STAKE_WEI - receipt.total_fees_paid
    assert revert_of(stake_source.finishUnbonding, sender=member.account).startswith("NothingUnbonding(")
    assert revert_of(stake_source.startUnbonding, 1, sender=member.account).startswith("InsufficientBond(")


def test_slash__stake_that_is_leaving__still_taken(registry, stake_source, members, owner, newcomer):
    member = members[0]
    stake_source.startUnbonding(STAKE_WEI // 2, sender=member.account)
    before = newcomer.balance
    stake_source.slash(member.account, STAKE_WEI * 3 // 4, newcomer, sender=owner)
    assert newcomer.balance == before + STAKE_WEI * 3 // 4
    bond = stake_source.bondOf(member.account)
    assert (bond.unbonding, bond.bonded) == (0, STAKE_WEI // 4)
    assert snapshot(registry).totalStake == 3 * STAKE_WEI + STAKE_WEI // 4
    stake_source.slash(member.account, 2**255, newcomer, sender=owner)
    assert not registry.isRegistered(member.account)


def test_bond__nothing__refused(stake_source, newcomer):
    assert revert_of(stake_source.bond, sender=newcomer) == "InvalidBond(0)"


def test_set_registry__second_time__refused(stake_source, owner):
    assert revert_of(stake_source.setRegistry, owner, sender=owner).startswith("RegistryAlreadySet(")


def test_update_stakes__strangers_and_repeats_in_the_list__passed_over(
    registry, stake_source, members, newcomer
):
    stake_source.bond(value=1, sender=members[0].account)
    operators = [newcomer, members[0].account, members[0].account, members[1].account]
    registry.updateStakes(operators, sender=newcomer)
    assert snapshot(registry).totalStake == 4 * STAKE_WEI + 1
    count = registry.snapshotCount()
    registry.updateStakes(operators, sender=newcomer)
    assert registry.snapshotCount() == count


def test_update_stakes__minimum_was_raised__those_below_leave(
    registry, stake_source, members, owner, newcomer
):
    stake_source.bond(value=STAKE_WEI, sender=members[0].account)
    registry.updateStakes([members[0].account], sender=newcomer)
    config = list(registry.config())
    config[0] = STAKE_WEI + 1
    registry.setConfig(config, sender=owner)
    registry.updateStakes([m.account for m in members], sender=newcomer)
    assert [view.operator for view in registry.operators()] == [members[0].account]


def test_eject__member__out_and_barred_for_a_while(registry, members, owner, params, chain):
    member = members[1]
    registry.eject(member.account, sender=owner)
    assert not registry.isRegistered(member.account)
    args = register_args(registry, member.account, member.key)
    assert revert_of(registry.register, *args, sender=member.account).startswith("EjectionCooldown(")
    chain.pending_timestamp += params.registry.ejection_cooldown_s + 1
    register(registry, member.account, member.key)
    assert registry.isRegistered(member.account)


def test_eject__deregistered_in_front_of_it__barred_all_the_same(registry, members, owner):
    """Leaving ahead of the ejection must not save the way back."""
    member = members[1]
    registry.deregister(sender=member.account)
    count = registry.snapshotCount()
    receipt = registry.eject(member.account, sender=owner)
    assert [event.operator for event in receipt.decode_logs(registry.OperatorEjected)] == [member.account]
    assert registry.snapshotCount() == count
    args = register_args(registry, member.account, member.key)
    assert revert_of(registry.register, *args, sender=member.account).startswith("EjectionCooldown(")


def test_eject__stranger__no_error_and_no_change(registry, members, owner, newcomer):
    count = registry.snapshotCount()
    registry.eject(newcomer, sender=owner)
    assert registry.snapshotCount() == count


@pytest.fixture
def full_set(registry, members, owner):
    config = list(registry.config())
    config[1], config[3] = len(members), 2_600
    registry.setConfig(config, sender=owner)


def test_full_set__plain_register__refused(registry, stake_source, full_set, newcomer):
    stake_source.bond(value=2 * STAKE_WEI, sender=newcomer)
    args = register_args(registry, newcomer, make_key("late"))
    assert revert_of(registry.register, *args, sender=newcomer) == "OperatorSetFull(4, 4)"


def test_churn__enough_heavier__takes_the_place(registry, stake_source, members, full_set, newcomer):
    stake_source.bond(value=2 * STAKE_WEI, sender=newcomer)
    args = register_args(registry, newcomer, make_key("late"))
    registry.registerWithChurn(*args, members[2].account, sender=newcomer, gas_limit=2_000_000)
    assert registry.isRegistered(newcomer)
    assert not registry.isRegistered(members[2].account)
    assert (snapshot(registry).operatorCount, snapshot(registry).totalStake) == (4, 5 * STAKE_WEI)


def test_churn__not_heavier_or_incumbent_too_big__refused(
    registry, stake_source, members, full_set, newcomer, owner
):
    stake_source.bond(value=STAKE_WEI * 11 // 10, sender=newcomer)
    args = (*register_args(registry, newcomer, make_key("late")), members[2].account)
    assert revert_of(registry.registerWithChurn, *args, sender=newcomer).startswith("ChurnNotAllowed(")
    stake_source.bond(value=1, sender=newcomer)
    config = list(registry.config())
    config[3] = 2_500
    registry.setConfig(config, sender=owner)
    assert revert_of(registry.registerWithChurn, *args, sender=newcomer).startswith("ChurnNotAllowed(")


def test_churn__incumbent_is_a_stranger_or_the_newcomer__refused(
    registry, stake_source, members, full_set, newcomer, user
):
    stake_source.bond(value=2 * STAKE_WEI, sender=newcomer)
    args = register_args(registry, newcomer, make_key("late"))
    for incumbent in (user, newcomer):
        error = revert_of(registry.registerWithChurn, *args, incumbent, sender=newcomer)
        assert error.startswith("NotRegistered(")


def test_churn__set_not_full__nobody_has_to_go(registry, stake_source, members, newcomer):
    stake_source.bond(value=STAKE_WEI, sender=newcomer)
    args = register_args(registry, newcomer, make_key("late"))
    registry.registerWithChurn(*args, members[2].account, sender=newcomer, gas_limit=2_000_000)
    assert registry.operatorCount() == 5


def test_socket__of_a_member__changed_by_it_only(registry, members, newcomer):
    registry.updateSocket("https://new.example", sender=members[0].account)
    views = {view.operator: view for view in registry.operators()}
    assert views[members[0].account.address].socket == "https://new.example"
    assert revert_of(registry.updateSocket, "x", sender=newcomer).startswith("NotRegistered(")


def test_one_block__join_and_leave__one_snapshot_with_the_end_state(
    registry, stake_source, members, newcomer, web3
):
    """All changes of a block collapse into one record, so its end state is what counts."""
    stake_source.bond(value=STAKE_WEI, sender=newcomer)
    key, before = make_key("passing"), registry.snapshotCount()
    register_call = registry.register.encode_input(*register_args(registry, newcomer, key))
    web3.provider.make_request("evm_setAutomine", [False])
    try:
        for data in (register_call, registry.deregister.encode_input()):
            transaction = {"from": newcomer.address, "to": registry.address, "data": data, "gas": 2_000_000}
            web3.eth.send_transaction(transaction)
        web3.provider.make_request("evm_mine", [])
    finally:
        web3.provider.make_request("evm_setAutomine", [True])
    assert registry.snapshotCount() == before + 1
    assert snapshot(registry).totalStake == 4 * STAKE_WEI
    assert registry.stakeRecordCount(key.id) == 1
    assert registry.stakeRecords(key.id, 0).stake == 0


def test_bond_and_register__fifth_operator__is_in_the_views(registry, stake_source, members, newcomer):
    member = bond_and_register(stake_source, registry, newcomer, make_key("fifth"))
    assert registry.isRegistered(newcomer)
    assert registry.stakeRecordCount(member.key.id) == 1
