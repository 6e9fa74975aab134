"""Inclusion: true at the leaf's own position with the tree's own depth, false for everything else, never a revert."""

from __future__ import annotations

import random

import pytest
from eth_utils import keccak
from reverting import revert_of

from aligned.core.aggregation import AggregationTree, depth_of, leaf_of
from sample_aggregations import RISC0, SP1, USER_PROGRAM, aggregate, user_input

COUNT = 5
INDEX = 2
LABEL = "inclusion"


@pytest.fixture
def given(submitter):
    aggregated = aggregate(SP1, COUNT, LABEL)
    assert submitter.send(aggregated)["status"] == 1
    return aggregated


@pytest.fixture
def proof_included(aggregations, given):
    def ask(**changes: object) -> bool:
        claim = {
            "root": given.root,
            "system": SP1,
            "program": USER_PROGRAM,
            "inputs": user_input(INDEX, LABEL),
            "index": INDEX,
            "path": given.tree.path(INDEX),
        } | changes
        return aggregations.verifyProofInclusion(*claim.values())

    return ask


@pytest.fixture
def leaf_included(aggregations, given):
    def ask(**changes: object) -> bool:
        claim = {
            "root": given.root,
            "system": SP1,
            "commitment": given.commitments[INDEX],
            "index": INDEX,
            "path": given.tree.path(INDEX),
        } | changes
        return aggregations.verifyLeafInclusion(*claim.values())

    return ask


def test_inclusion__every_leaf_at_every_position__true_at_its_own_only(leaf_included, given):
    for position in range(COUNT):
        for claimed in range(8):
            fields = {"commitment": given.commitments[position], "path": given.tree.path(position)}
            assert leaf_included(**fields, index=claimed) == (claimed == position)


def test_proof_inclusion__right_and_wrong_claims__program_and_inputs_are_bound(proof_included):
    assert proof_included()
    assert not proof_included(program=keccak(b"another program"))
    assert not proof_included(inputs=user_input(INDEX, LABEL) + b"\0")
    assert not proof_included(inputs=b"")


@pytest.mark.parametrize("index", [COUNT, 7, 8, INDEX + 8, INDEX + 2**13, INDEX + 2**255, 2**256 - 1])
def test_index__at_or_above_the_count__false(proof_included, leaf_included, index):
    assert proof_included(index=index) is False
    assert leaf_included(index=index) is False


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 64, 95, 97, 128, 256, 3200])
def test_path__wrong_depth__false(proof_included, given, length):
    path = (given.tree.path(INDEX) * 40)[:length]
    assert proof_included(path=path) is False


def test_inner_node__as_a_leaf__false(leaf_included, given):
    """A shorter path from an inner node leads to the root, but is none of this tree's leaves."""
    leaves = [leaf_of(SP1, each) for each in given.commitments]
    node = keccak(b"\x01" + leaves[2] + leaves[3])
    shorter = given.tree.path(INDEX)[32:]
    assert leaf_included(commitment=node, index=1, path=shorter) is False
    assert leaf_included(commitment=node, index=1, path=given.tree.path(INDEX)) is False
    assert leaf_included(commitment=leaves[INDEX]) is False


def test_padding__zero_leaf__false(leaf_included, proof_included):
    """Positions 5 to 7 are zero words: behind the count, and no commitment hashes to one."""
    leaves = [leaf_of(SP1, each) for each in aggregate(SP1, COUNT, LABEL).commitments]
    node = keccak(b"\x01" + leaves[0] + leaves[1]), keccak(b"\x01" + leaves[2] + leaves[3])
    path = bytes(32) + keccak(b"\x01" + leaves[4] + bytes(32)) + keccak(b"\x01" + node[0] + node[1])
    for index in (5, 6, 7):
        assert leaf_included(commitment=bytes(32), index=index, path=path) is False
        assert leaf_included(commitment=bytes(32), system=0, index=index, path=path) is False


def test_system__another_or_none__false(proof_included, leaf_included):
    for system in (0, RISC0, 3, 255, 256, 257, 0x0101, 2**256 - 1):
        assert proof_included(system=system) is False
        assert leaf_included(system=system) is False


def test_root__unknown__false(proof_included):
    assert proof_included(root=keccak(b"never aggregated")) is False
    assert proof_included(root=bytes(32)) is False


def test_root__revoked__false_also_under_a_system_that_looks_like_its_record(
    aggregations, proof_included, given, owner
):
    """257 has the bits of "SP1, revoked" in the record."""
    aggregations.revokeRoots([given.root], sender=owner)
    assert aggregations.aggregatedProofs(given.root)[6] is True
    for system in (SP1, 257):
        assert proof_included(system=system) is False


def test_inclusion__verification_paused_or_program_disallowed__goes_on(aggregations, proof_included, owner):
    program = bytes(aggregations.aggregatedProofs(aggregate(SP1, COUNT, LABEL).root)[4])
    aggregations.setVerificationPaused(True, sender=owner)
    aggregations.disallowProgram(program, sender=owner)
    assert proof_included() is True


def test_views__random_arguments__never_revert(aggregations, given, user):
    """Arguments of any value and length; each answer is false."""
    source = random.Random(1)
    for _ in range(200):
        words = [source.choice([given.root, source.randbytes(32), bytes(32)])]
        system = source.choice([1, 2, source.getrandbits(8), source.getrandbits(256)])
        index = source.choice([0, INDEX, source.getrandbits(3), source.getrandbits(256)])
        path = source.randbytes(source.choice([0, 32, 96, 480, 481, source.randrange(2_000)]))
        inputs = source.randbytes(source.randrange(300))
        assert not aggregations.verifyProofInclusion(
            *words, system, source.randbytes(32), inputs, index, path
        )
        assert not aggregations.verifyLeafInclusion(*words, system, source.randbytes(32), index, path)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 9, 33])
def test_depth__trees_of_other_sizes__exact(aggregations, submitter, count):
    given = aggregate(RISC0, count, "depth")
    assert submitter.send(given)["status"] == 1
    for index in {0, count // 2, count - 1}:
        path = given.tree.path(index)
        assert len(path) == 32 * depth_of(count)
        claim = (given.root, RISC0, given.commitments[index], index)
        assert aggregations.verifyLeafInclusion(*claim, path)
        assert not aggregations.verifyLeafInclusion(*claim, path + bytes(32))
        if path:
            assert not aggregations.verifyLeafInclusion(*claim, path[32:])


def test_tree__a_parent_that_was_aggregated_as_if_it_were_a_leaf__false(aggregations, given):
    """Two leaves as one: the root of the two-level tree over the parents is the same, its count is not."""
    leaves = [leaf_of(SP1, each) for each in given.commitments] + [bytes(32)] * 3
    parents = [keccak(b"\x01" + leaves[i] + leaves[i + 1]) for i in range(0, 8, 2)]
    upper = AggregationTree(parents)
    assert upper.root == given.root
    for index, parent in enumerate(parents):
        assert not aggregations.verifyLeafInclusion(given.root, SP1, parent, index, upper.path(index))


def test_consumer__of_one_program__records_what_was_aggregated(
    project, aggregations, given, owner, responder
):
    consumer = owner.deploy(project.AggregatedProofConsumer, aggregations, SP1, USER_PROGRAM)
    place = (given.root, INDEX, given.tree.path(INDEX))
    inputs = user_input(INDEX, LABEL)
    error = revert_of(consumer.submit, inputs + b"!", *place, sender=responder)
    assert error == f"ProofNotAggregated(0x{given.root.hex()}, {INDEX})"
    consumer.submit(inputs, *place, sender=responder)
    consumer.submit(inputs, *place, sender=responder)
    assert consumer.proved(keccak(inputs))


def test_consumer__of_another_program__refuses_the_same_proof(project, aggregations, given, owner, responder):
    consumer = owner.deploy(project.AggregatedProofConsumer, aggregations, SP1, keccak(b"my program"))
    place = (given.root, INDEX, given.tree.path(INDEX))
    error = revert_of(consumer.submit, user_input(INDEX, LABEL), *place, sender=responder)
    assert error == f"ProofNotAggregated(0x{given.root.hex()}, {INDEX})"
