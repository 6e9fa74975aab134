"""Holes around the quorum and its signature. Each test states what the reference accepted, and that we do not."""

from __future__ import annotations

import bls_helper as bls
import pytest
from bls_helper import INFINITY, INFINITY_G2, P, make_key
from quorum_helper import FEE_WEI, POINTER, Answer, batch_id, sign_task
from reverting import revert_of

from aligned.devnet.deploy import deploy

OTHER_ROOT = b"\x22" * 32
GAS_LIMIT = 5_000_000
# A refused answer costs its caller less than an accepted one does: no point makes a precompile burn the whole limit.
WORST_REFUSAL_GAS = 260_000


@pytest.fixture
def burnt(service_manager, task, user, responder):
    """Gas that a mined, refused answer costs its caller under a large limit."""

    def send(answer: Answer) -> int:
        receipt = service_manager.respondToTask(
            task, user, answer.abi(), sender=responder, gas_limit=GAS_LIMIT, raise_on_revert=False
        )
        assert receipt.failed
        return receipt.gas_used

    return send


def test_answer__whole_quorum_signed__batch_is_verified(service_manager, answer, task, user, responder):
    tx = service_manager.respondToTask(task, user, answer.abi(), sender=responder)
    assert service_manager.batchStatus(task, user) == 2
    assert [event.batchMerkleRoot for event in tx.decode_logs(service_manager.BatchVerified)] == [task]


def test_answer__one_of_four_absent__batch_is_verified(
    service_manager, registry, members, task, user, responder
):
    partial = sign_task(service_manager, registry, task, user.address, members, absent=members[:1])
    service_manager.respondToTask(task, user, partial.abi(), sender=responder)
    assert service_manager.batchStatus(task, user) == 2


def test_emptied_quorum__zero_points__refused(service_manager, registry, members, user, responder, chain):
    for member in members:
        registry.deregister(sender=member.account)
    service_manager.createNewTask(OTHER_ROOT, POINTER, FEE_WEI, value=FEE_WEI, sender=user)
    chain.mine(1)
    block = service_manager.batchesState(batch_id(OTHER_ROOT, user.address))[0]
    digest = bytes(service_manager.taskDigest(batch_id(OTHER_ROOT, user.address), block))
    nothing = Answer(registry.snapshotIndexAt(block), INFINITY, INFINITY_G2, INFINITY, bls.witness(digest))
    error = revert_of(service_manager.respondToTask, OTHER_ROOT, user, nothing.abi(), sender=responder)
    assert error.startswith("TotalStakeTooLow(0, ")


def test_quorum_nobody_ever_joined__zero_points__refused(
    sender, params, artifacts, project, user, responder, chain
):
    # Contracts of tests that were rolled back had the addresses that this deployment gets, and Ape remembers those.
    chain.contracts.clear_local_caches()
    fresh = deploy(sender, params, artifacts)
    service_manager = project.AlignedLayerServiceManager.at(fresh.service_manager)
    service_manager.createNewTask(OTHER_ROOT, POINTER, FEE_WEI, value=FEE_WEI, sender=user)
    chain.mine(1)
    nothing = Answer(0, INFINITY, INFINITY_G2, INFINITY, (0, []))
    error = revert_of(service_manager.respondToTask, OTHER_ROOT, user, nothing.abi(), sender=responder)
    assert error.startswith("TotalStakeTooLow(0, ")


def test_non_signers__all_operators__refused(service_manager, registry, members, answer, refusal):
    absent = sorted((m.key for m in members), key=lambda key: key.id)
    nobody = answer.but(
        signers_key_g2=INFINITY_G2, signature=INFINITY, non_signers=[(key.g1, 0) for key in absent]
    )
    assert refusal(nobody) == "TooFewSigners(0, 2)"


def test_stake__below_threshold__refused(service_manager, registry, members, task, user, refusal):
    half = sign_task(service_manager, registry, task, user.address, members, absent=members[:2])
    assert refusal(half).startswith("InvalidQuorumThreshold(")


def test_stake__exactly_at_the_threshold__is_enough_and_a_hair_below_is_not(
    service_manager, registry, members, task, user, owner, responder
):
    three_of_four = sign_task(service_manager, registry, task, user.address, members, absent=members[:1])
    config = list(service_manager.config())
    config[3] = 7_501
    service_manager.setConfig(config, sender=owner)
    refused = revert_of(service_manager.respondToTask, task, user, three_of_four.abi(), sender=responder)
    assert refused.startswith("InvalidQuorumThreshold(")

    config[3] = 7_500
    service_manager.setConfig(config, sender=owner)
    service_manager.respondToTask(task, user, three_of_four.abi(), sender=responder)
    assert service_manager.batchStatus(task, user) == 2


@pytest.mark.parametrize(
    "spoiled",
    [
        {"signature": INFINITY},
        {"signers_key_g2": INFINITY_G2},
        {"signature": INFINITY, "signers_key_g2": INFINITY_G2},
    ],
    ids=["signature", "key in G2", "both"],
)
def test_infinity__in_the_answer__refused(answer, refusal, burnt, spoiled):
    assert refusal(answer.but(**spoiled)) == "InvalidSignature()"
    assert burnt(answer.but(**spoiled)) < WORST_REFUSAL_GAS


def test_infinity__as_aggregate_key__refused(answer, refusal):
    assert refusal(answer.but(aggregate_key=INFINITY)).startswith("AggregateKeyMismatch(")


def test_off_curve__signature__refused_with_bounded_gas(answer, refusal, burnt):
    bad = answer.but(signature=(answer.signature[0], (answer.signature[1] + 1) % P))
    assert refusal(bad) == "InvalidSignature()"
    assert burnt(bad) < WORST_REFUSAL_GAS


def test_off_curve__key_in_g2__refused_with_bounded_gas(answer, refusal, burnt):
    (x_im, x_re), y = answer.signers_key_g2
    bad = answer.but(signers_key_g2=((x_im, (x_re + 1) % P), y))
    assert refusal(bad) == "InvalidSignature()"
    assert burnt(bad) < WORST_REFUSAL_GAS


def test_off_curve__half_zero_points__refused(answer, refusal):
    assert refusal(answer.but(signature=(0, answer.signature[1]))) == "InvalidSignature()"
    assert refusal(answer.but(signers_key_g2=(answer.signers_key_g2[0], (0, 0)))) == "InvalidSignature()"


def test_wrong_subgroup__key_in_g2__refused_with_bounded_gas(answer, refusal, burnt):
    bad = answer.but(signers_key_g2=bls.twist_point_outside_subgroup())
    assert refusal(bad) == "InvalidSignature()"
    assert burnt(bad) < WORST_REFUSAL_GAS


@pytest.mark.parametrize("word", range(2))
def test_non_canonical__signature_coordinate__refused(answer, refusal, burnt, word):
    words = list(answer.signature)
    words[word] += P
    assert refusal(answer.but(signature=tuple(words))) == "InvalidSignature()"
    assert burnt(answer.but(signature=tuple(words))) < WORST_REFUSAL_GAS


@pytest.mark.parametrize("word", range(4))
def test_non_canonical__key_in_g2_coordinate__refused(answer, refusal, burnt, word):
    words = [*answer.signers_key_g2[0], *answer.signers_key_g2[1]]
    words[word] += P
    bad = answer.but(signers_key_g2=((words[0], words[1]), (words[2], words[3])))
    assert refusal(bad) == "InvalidSignature()"
    assert burnt(bad) < WORST_REFUSAL_GAS


def test_non_canonical__aggregate_key__refused(answer, refusal):
    x, y = answer.aggregate_key
    assert refusal(answer.but(aggregate_key=(x + P, y))).startswith("AggregateKeyMismatch(")


def test_witness__non_canonical_wrong_or_too_short__refused(answer, refusal):
    root, skips = answer.witness
    assert refusal(answer.but(witness=(root + P, skips))) == "InvalidSignature()"
    assert refusal(answer.but(witness=(root + 1, skips))) == "InvalidSignature()"
    assert refusal(answer.but(witness=(root, [*skips, 1]))) == "InvalidSignature()"


def test_witness__skips_a_point_of_the_curve__refused(service_manager, members, answer, task, user, refusal):
    """A caller that could skip at will could use a signature over another message whose point comes later."""
    block = service_manager.batchesState(batch_id(task, user.address))[0]
    digest = bytes(service_manager.taskDigest(batch_id(task, user.address), block))
    (x, _), _, skips = bls.hash_to_g1(digest)
    later = ((x + 1) % P).to_bytes(32, "big")
    root, further = bls.witness(later)
    signed = answer.but(signature=bls.combined([m.key for m in members]).sign(later))
    square_root = pow((pow(x, 3, P) + 3) % P, (P + 1) // 4, P)
    for forged in (0, 1, square_root, P - square_root):
        assert refusal(signed.but(witness=(root, [*skips, forged, *further]))) == "InvalidSignature()"


def test_signature__of_somebody_else__refused(service_manager, answer, task, user, refusal):
    block = service_manager.batchesState(batch_id(task, user.address))[0]
    digest = bytes(service_manager.taskDigest(batch_id(task, user.address), block))
    outsider = make_key("outsider")
    assert refusal(answer.but(signature=outsider.sign(digest))) == "InvalidSignature()"
    forged = answer.but(signature=outsider.sign(digest), signers_key_g2=outsider.g2)
    assert refusal(forged) == "InvalidSignature()"
