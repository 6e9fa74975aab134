"""verifySP1 and verifyRisc0 from the zkVM's proof to the inclusion of a user's, with real blob transactions."""

from __future__ import annotations

import pytest
from eth_utils import keccak

from aligned.chain.abi import contract_abi
from aligned.core.aggregation import COMMITMENTS_PER_BLOB, MAX_LEAVES, dev_proof
from sample_aggregations import PROVERS, RISC0, SP1, USER_PROGRAM, aggregate, user_input

SYSTEMS = pytest.mark.parametrize("system", [SP1, RISC0], ids=["sp1", "risc0"])


def included(service, given, index, **changes: object) -> bool:
    claim = {
        "root": given.root,
        "system": given.system,
        "program": USER_PROGRAM,
        "inputs": user_input(index, changes.pop("label", "")),
        "index": index,
        "path": given.tree.path(index),
    } | changes
    return service.verifyProofInclusion(*claim.values())


@SYSTEMS
def test_aggregation__proof_and_blob__root_recorded_and_every_leaf_included(
    submitter, aggregations, web3, system
):
    given = aggregate(system, 5)
    receipt = submitter.send(given)
    assert receipt["status"] == 1
    block = web3.eth.get_block(receipt["blockNumber"])
    program = PROVERS[system].program_id
    assert tuple(aggregations.aggregatedProofs(given.root)) == (
        system,
        5,
        block["number"],
        block["timestamp"],
        program,
        1,
        False,
    )
    [log] = receipt["logs"]
    event = contract_abi("AlignedProofAggregationService").events["AggregatedProofVerified"]
    decoded = event.decode([bytes(topic) for topic in log["topics"]], bytes(log["data"]))
    assert decoded == {
        "root": given.root,
        "systemId": system,
        "programId": program,
        "leafCount": 5,
        "versionedHashes": given.hashes,
    }
    assert [included(aggregations, given, i) for i in range(5)] == [True] * 5
    assert included(aggregations, given, 0, inputs=b"not aggregated") is False


@SYSTEMS
def test_aggregation__two_blobs__both_are_bound(submitter, aggregations, system):
    given = aggregate(system, COMMITMENTS_PER_BLOB + 1)
    assert submitter.send(given)["status"] == 1
    assert included(aggregations, given, COMMITMENTS_PER_BLOB)
    assert aggregations.aggregatedProofs(given.root)[5] == 2


def test_aggregation__one_proof__the_leaf_is_the_root(submitter, aggregations):
    given = aggregate(SP1, 1)
    assert submitter.send(given)["status"] == 1
    assert included(aggregations, given, 0, path=b"")


def test_aggregation__further_blob_in_the_transaction__ignored(submitter, aggregations):
    wide, given = aggregate(SP1, COMMITMENTS_PER_BLOB + 1), aggregate(SP1, COMMITMENTS_PER_BLOB)
    assert wide.hashes[0] == given.hashes[0]
    assert submitter.send(given, sidecar=wide.sidecar)["status"] == 1


@SYSTEMS
def test_root__sent_again__refused(submitter, system):
    """Also with another proof of the same: proofs are malleable, the root is what cannot be used twice."""
    given = aggregate(system, 3, "again")
    assert submitter.send(given)["status"] == 1
    error = f"RootAlreadyAggregated(0x{given.root.hex()})"
    assert submitter.refusal(given) == error
    assert submitter.refusal(given, proof=given.proof(salt="another")) == error


def test_root__proof_re_randomised__the_same_record(submitter, aggregations):
    given = aggregate(SP1, 3, "other proof")
    assert submitter.send(given, proof=given.proof(salt="another"))["status"] == 1
    assert aggregations.aggregatedProofs(given.root)[1] == 3


def test_proof__replayed_by_somebody_else__sender_does_not_matter(submitter, aggregations, responder, web3):
    """Who copies it from the mempool pays for blobs and gas, and the record is the same."""
    given = aggregate(RISC0, 2, "copied")
    copier = type(submitter)(web3, submitter.service, responder)
    assert copier.send(given, proof=given.proof())["status"] == 1
    assert aggregations.aggregatedProofs(given.root)[4] == PROVERS[RISC0].program_id


# ------------------------------------------------------------------------------------------ programs


@SYSTEMS
def test_program__not_allowed__refused(submitter, system):
    given = aggregate(system, 3)
    other = keccak(b"some other program")
    assert submitter.refusal(given, program=other) == f"ProgramNotAllowed({int(system)}, 0x{other.hex()})"


@SYSTEMS
def test_program__of_the_other_system__refused(submitter, system):
    given = aggregate(system, 3)
    other = RISC0 if system is SP1 else SP1
    program = PROVERS[system].program_id
    error = f"ProgramNotAllowed({int(other)}, 0x{program.hex()})"
    assert submitter.refusal(given, system=other) == error


@SYSTEMS
def test_proof__of_another_program__refused(submitter, system):
    """A chunk proof of a program that is not the allowed one."""
    given = aggregate(system, 3)
    prover = PROVERS[system]
    other = type(prover)(prover.key, bytes(31) + b"\x07", *_version(prover))
    assert submitter.refusal(given, proof=other.prove(given.public_inputs)) == "ProofInvalid()"


def _version(prover):
    if hasattr(prover, "vk_root"):
        return prover.selector, prover.vk_root
    return prover.control_root, prover.control_id


@SYSTEMS
def test_proof__of_other_public_inputs__refused(submitter, system):
    given = aggregate(system, 3)
    assert submitter.refusal(given, proof=aggregate(system, 4).proof()) == "ProofInvalid()"


@SYSTEMS
@pytest.mark.parametrize("change", ["short", "trailing", "empty"])
def test_proof__wrong_length__refused(submitter, system, change):
    given = aggregate(system, 3)
    proof = {"short": given.proof()[:-1], "trailing": given.proof() + b"\0", "empty": b""}[change]
    expected = 356 if system is SP1 else 260
    assert submitter.refusal(given, proof=proof) == f"WrongProofLength({len(proof)}, {expected})"


@SYSTEMS
def test_dev_proof__to_a_real_verifier__refused(submitter, system):
    given = aggregate(system, 3)
    proof = dev_proof(1, PROVERS[system].program_id, given.public_inputs)
    assert submitter.refusal(given, proof=proof).startswith("WrongProofLength(65, ")


# ------------------------------------------------------------------------------------------ public inputs


@pytest.mark.parametrize("length", [0, 21, 32, 63])
@SYSTEMS
def test_journal__too_short_for_a_root_and_a_count__refused(submitter, system, length):
    """The public test receipts' journal has 21 bytes."""
    given = aggregate(system, 3)
    error = submitter.refusal(given, public_inputs=given.public_inputs[:length])
    assert error == f"MalformedPublicInputs({length})"


@pytest.mark.parametrize("extra", [-64, -1, 1, 32, 64])
@SYSTEMS
def test_public_inputs__length_does_not_fit_the_count__refused(submitter, system, extra):
    given = aggregate(system, 3)
    inputs = (given.public_inputs + bytes(64))[: 128 + extra]
    assert submitter.refusal(given, public_inputs=inputs) == f"MalformedPublicInputs({128 + extra})"


@pytest.mark.parametrize("count", [0, MAX_LEAVES + 1, 2**255, 2**256 - 1])
@SYSTEMS
def test_count__zero_or_above_six_blobs__refused(submitter, system, count):
    given = aggregate(system, 3).claiming(leaf_count=count)
    error = submitter.refusal(given, proof=b"")
    assert error == f"LeafCountOutOfRange({count}, {MAX_LEAVES})"


@pytest.mark.parametrize("count", [COMMITMENTS_PER_BLOB + 1, MAX_LEAVES])
def test_count__needs_more_blobs_than_named__refused(submitter, count):
    given = aggregate(SP1, 3).claiming(leaf_count=count)
    assert submitter.refusal(given) == "MalformedPublicInputs(128)"


@pytest.mark.parametrize("count", [2, 4, COMMITMENTS_PER_BLOB])
@SYSTEMS
def test_count__not_the_one_proved__refused(submitter, system, count):
    """It changes both the statement of the proof and the point at which the blob is opened."""
    given = aggregate(system, 3)
    lying = given.claiming(leaf_count=count)
    assert submitter.refusal(lying, proof=given.proof()) == "BlobOpeningInvalid(0)"
