"""Holes around operator keys: rogue, borrowed, mismatched and empty keys."""

from __future__ import annotations

import bls_helper as bls
from bls_helper import INFINITY, INFINITY_G2, make_key
from quorum_helper import register
from reverting import revert_of


def test_rogue_key__difference_to_a_victim__refused(registry, stake_source, members, newcomer):
    """pk_x − pk_victim would let its owner sign alone for both; it cannot prove possession of the difference.

    Both halves of the key are the difference, so nothing but the missing signature stands against it: the same call
    with one made from both secrets, which only victim and thief together could make, is accepted.
    """
    own, victim = make_key("own"), members[0].key
    rogue = bls.sum_g1([own.g1, bls.negate(victim.g1)])
    rogue_g2 = bls.subtract_g2(own.g2, victim.g2)
    digest = bytes(registry.possessionDigest(newcomer))
    stake_source.bond(value=10**19, sender=newcomer)
    for forged in (own.sign(digest), bls.negate(own.sign(digest)), bls.g1_words(bls.G1)):
        args = (rogue, rogue_g2, forged, bls.witness(digest), "")
        error = revert_of(registry.register, *args, sender=newcomer)
        assert error.startswith("InvalidPossessionProof(")
    both = bls.Key((own.secret - victim.secret) % bls.R)
    assert (both.g1, both.g2) == (rogue, rogue_g2)
    registry.register(rogue, rogue_g2, both.sign(digest), bls.witness(digest), "", sender=newcomer)


def test_possession__keys_of_different_secrets__refused(registry, stake_source, newcomer):
    one, other = make_key("one"), make_key("other")
    digest = bytes(registry.possessionDigest(newcomer))
    stake_source.bond(value=10**19, sender=newcomer)
    args = (one.g1, other.g2, one.sign(digest), bls.witness(digest), "")
    assert revert_of(registry.register, *args, sender=newcomer).startswith("InvalidPossessionProof(")


def test_possession__infinity_as_key__refused(registry, stake_source, newcomer):
    digest = bytes(registry.possessionDigest(newcomer))
    stake_source.bond(value=10**19, sender=newcomer)
    args = (INFINITY, INFINITY_G2, INFINITY, bls.witness(digest), "")
    assert revert_of(registry.register, *args, sender=newcomer).startswith("InvalidPossessionProof(")


def test_possession__proof_of_another_operator__refused(registry, stake_source, members, newcomer):
    """A proof seen in the mempool is of no use to the one who copies it."""
    key = make_key("copied")
    digest = bytes(registry.possessionDigest(members[0].account))
    stake_source.bond(value=10**19, sender=newcomer)
    args = (key.g1, key.g2, key.sign(digest), bls.witness(digest), "")
    assert revert_of(registry.register, *args, sender=newcomer).startswith("InvalidPossessionProof(")


def test_duplicate_key__second_operator__refused(registry, stake_source, members, newcomer):
    stake_source.bond(value=10**19, sender=newcomer)
    key = members[0].key
    digest = bytes(registry.possessionDigest(newcomer))
    args = (key.g1, key.g2, key.sign(digest), bls.witness(digest), "")
    assert revert_of(registry.register, *args, sender=newcomer).startswith("KeyAlreadyOwned(")


def test_second_key__same_operator__refused(registry, members):
    operator = members[0].account
    registry.deregister(sender=operator)
    key = make_key("replacement")
    digest = bytes(registry.possessionDigest(operator))
    args = (key.g1, key.g2, key.sign(digest), bls.witness(digest), "")
    assert revert_of(registry.register, *args, sender=operator).startswith("OperatorHasAnotherKey(")


def test_register__come_back_with_own_key__accepted(registry, members):
    operator, key = members[0].account, members[0].key
    registry.deregister(sender=operator)
    register(registry, operator, key)
    assert registry.isRegistered(operator)
