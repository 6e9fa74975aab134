"""Holes around the inclusion check: positions outside the tree, malformed paths, batches that are not verified."""

from __future__ import annotations

import pytest
from eth_utils import keccak
from quorum_helper import FEE_WEI, POINTER, sign_task
from reverting import revert_of

COMMITMENTS = [
    (keccak(bytes([i])), keccak(b"in" + bytes([i])), keccak(b"aux" + bytes([i]))) for i in range(4)
]
GENERATOR = bytes(20)
LEAVES = [keccak(b"".join(parts) + GENERATOR) for parts in COMMITMENTS]
LEFT, RIGHT = keccak(LEAVES[0] + LEAVES[1]), keccak(LEAVES[2] + LEAVES[3])
ROOT = keccak(LEFT + RIGHT)
INDEX = 2
PATH = LEAVES[3] + LEFT


@pytest.fixture
def posted(service_manager, members, user, chain):
    service_manager.createNewTask(ROOT, POINTER, FEE_WEI, value=FEE_WEI, sender=user)
    chain.mine(1)


@pytest.fixture
def verified(service_manager, registry, members, posted, user, responder):
    answer = sign_task(service_manager, registry, ROOT, user.address, members)
    service_manager.respondToTask(ROOT, user, answer.abi(), sender=responder)


@pytest.fixture
def included(service_manager, user):
    def call(path=PATH, index=INDEX, root=ROOT, who=user, commitments=COMMITMENTS[INDEX]) -> bool:
        return service_manager.verifyBatchInclusion(*commitments, GENERATOR, root, path, index, who)

    return call


def test_inclusion__verified_batch__true_at_each_position_and_only_there(verified, included):
    paths = [LEAVES[1] + RIGHT, LEAVES[0] + RIGHT, LEAVES[3] + LEFT, LEAVES[2] + LEFT]
    for position in range(4):
        for claimed in range(4):
            found = included(path=paths[position], index=claimed, commitments=COMMITMENTS[position])
            assert found == (position == claimed)


@pytest.mark.parametrize("k", [1, 2, 2**30, 2**253])
def test_index__plus_multiple_of_the_tree_size__false(verified, included, k):
    assert included(index=INDEX + k * 4) is False


def test_index__largest_word__false(verified, included):
    assert included(index=2**256 - 1) is False


@pytest.mark.parametrize("length", [0, 1, 31, 33, 63, 65, 95])
def test_path__wrong_length__false_and_no_revert(verified, included, length):
    assert included(path=(PATH * 2)[:length]) is False


def test_path__more_than_32_levels__false_and_no_revert(verified, included):
    assert included(path=bytes(32 * 33)) is False
    assert included(path=bytes(32 * 1_000)) is False


def test_inner_node__as_a_leaf__false(service_manager, verified, included, user):
    """The 64-byte preimage of a node cannot be the 116-byte preimage of a leaf."""
    padded = (LEAVES[0], LEAVES[1], bytes(32))
    assert included(path=RIGHT, index=0, commitments=padded) is False


def test_batch__pending__false(posted, included):
    assert included() is False


def test_batch__expired__false(posted, included, params, chain):
    chain.mine(params.service.response_window_blocks + 1)
    assert included() is False


def test_batch__revoked__false(service_manager, verified, included, user, owner):
    service_manager.revokeBatch(ROOT, user, sender=owner)
    assert included() is False
    assert service_manager.batchStatus(ROOT, user) == 4


def test_batch__other_sender_or_none__false(verified, included, non_owner):
    assert included(who=non_owner) is False
    assert included(who="0x" + "00" * 20) is False


def test_consumer__right_program_and_input__recorded(
    project, service_manager, verified, user, owner, responder
):
    """The example consumer fixes the program, so a proof of another one is worth nothing to it."""
    program, input_bytes = b"program", b"\x01" * 12
    consumer = owner.deploy(project.FibonacciConsumer, service_manager, program, 3)
    assert consumer.PROGRAM_COMMITMENT() == keccak(program + b"\x03")
    inclusion = (COMMITMENTS[INDEX][0], GENERATOR, ROOT, PATH, INDEX, user)
    error = revert_of(consumer.submit, input_bytes, inclusion, sender=responder)
    assert error.startswith("ProofNotVerified(")
    assert (
        revert_of(consumer.submit, b"\x01" * 11, inclusion, sender=responder) == "PublicInputTooShort(11, 12)"
    )


def test_consumer__proof_of_its_program__recorded_once_and_again(
    project, service_manager, registry, members, user, owner, responder, chain
):
    program, input_bytes = b"program", b"\x01" * 12
    consumer = owner.deploy(project.FibonacciConsumer, service_manager, program, 3)
    root = keccak(keccak(b"proof") + keccak(input_bytes) + keccak(program + b"\x03") + GENERATOR)
    service_manager.createNewTask(root, POINTER, FEE_WEI, value=FEE_WEI, sender=user)
    chain.mine(1)
    answer = sign_task(service_manager, registry, root, user.address, members)
    service_manager.respondToTask(root, user, answer.abi(), sender=responder)
    inclusion = (keccak(b"proof"), GENERATOR, root, b"", 0, user)
    consumer.submit(input_bytes, inclusion, sender=responder)
    consumer.submit(input_bytes, inclusion, sender=responder)
    assert consumer.proved(keccak(input_bytes))
