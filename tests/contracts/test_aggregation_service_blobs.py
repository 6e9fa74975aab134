"""No root is recorded whose commitments are not in the blobs of its own transaction."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aligned.chain.kzg import open_blob, sidecar_of
from aligned.core.aggregation import COMMITMENTS_PER_BLOB, BlobPoint
from aligned.core.blob import BLS_MODULUS, challenge, encode_blobs
from sample_aggregations import RISC0, SP1, aggregate

SYSTEMS = pytest.mark.parametrize("system", [SP1, RISC0], ids=["sp1", "risc0"])
NO_BLOB = "0x" + "00" * 32
# All gas that one refused opening may burn, beyond what the calldata and the reads before it cost.
REFUSED_OPENING_GAS = 140_000


@pytest.fixture
def given():
    return aggregate(SP1, 6, "blobs")


@pytest.fixture
def other():
    return aggregate(SP1, 6, "other blobs")


def missing(index: int, expected: bytes, actual: str) -> str:
    return f"BlobMissing({index}, 0x{expected.hex()}, {actual})"


@SYSTEMS
def test_blob__missing__refused(submitter, system):
    given = aggregate(system, 6, "blobs")
    assert submitter.refusal(given, hashes=()) == missing(0, given.hashes[0], NO_BLOB)


def test_blob__another_than_the_one_bound__refused(submitter, given, other):
    error = missing(0, given.hashes[0], "0x" + other.hashes[0].hex())
    assert submitter.refusal(given, hashes=other.hashes) == error


def test_blob__another_in_a_real_transaction__reverts_and_records_nothing(
    submitter, aggregations, given, other
):
    receipt = submitter.send(given, sidecar=other.sidecar)
    assert receipt["status"] == 0
    assert aggregations.aggregatedProofs(given.root)[1] == 0


def test_blob__second_one_missing__refused(submitter):
    given = aggregate(SP1, COMMITMENTS_PER_BLOB + 1)
    assert submitter.refusal(given, hashes=given.hashes[:1]) == missing(1, given.hashes[1], NO_BLOB)


def test_blobs__in_another_order__refused(submitter):
    given = aggregate(SP1, COMMITMENTS_PER_BLOB + 1)
    swapped = given.hashes[::-1]
    assert submitter.refusal(given, hashes=swapped) == missing(0, given.hashes[0], "0x" + swapped[0].hex())


def test_zero_hash__in_the_public_inputs_and_no_blob__refused(submitter, given):
    """Without its own check 0 = 0 would pass for a blob."""
    lying = given.claiming(blobs=(BlobPoint(bytes(32), bytes(32)),))
    assert submitter.refusal(lying, hashes=()) == missing(0, bytes(32), NO_BLOB)


def test_commitments__not_those_of_the_blob__refused(submitter, given, other):
    """The guest computes y from the commitments it aggregated: whatever blob travels along has another value."""
    [theirs] = other.output.blobs
    [ours] = given.output.blobs
    lying = given.claiming(blobs=(BlobPoint(theirs.versioned_hash, ours.y),))
    z = challenge(given.root, 6, theirs.versioned_hash)
    opening = open_blob(other.sidecar.blobs[0], z)
    assert opening.y != ours.y
    openings = other.sidecar.commitments[0] + opening.proof
    error = submitter.refusal(lying, hashes=other.hashes, openings=openings)
    assert error == "BlobOpeningInvalid(0)"


def test_one_commitment_changed__in_the_blob__refused(submitter, given):
    """One leaf withheld from the public: the polynomials differ, so they differ at the challenge point."""
    withheld = (*given.commitments[:-1], bytes(32))
    sidecar = sidecar_of(tuple(encode_blobs(withheld)))
    z = challenge(given.root, 6, sidecar.versioned_hashes[0])
    opening = open_blob(sidecar.blobs[0], z)
    true_y = open_blob(given.sidecar.blobs[0], z).y
    lying = given.claiming(blobs=(BlobPoint(sidecar.versioned_hashes[0], true_y),))
    openings = sidecar.commitments[0] + opening.proof
    error = submitter.refusal(lying, hashes=sidecar.versioned_hashes, openings=openings)
    assert error == "BlobOpeningInvalid(0)"


def test_opening__at_another_point__refused(submitter, given):
    """y and proof fit each other and the blob, but not the challenge of this root."""
    z = challenge(given.root, 7, given.hashes[0])
    opening = open_blob(given.sidecar.blobs[0], z)
    lying = given.claiming(blobs=(BlobPoint(given.hashes[0], opening.y),))
    openings = given.sidecar.commitments[0] + opening.proof
    assert submitter.refusal(lying, openings=openings) == "BlobOpeningInvalid(0)"


@pytest.mark.parametrize("byte", [0, 20, 47, 48, 70, 95])
def test_opening__one_byte_changed__refused(submitter, given, byte):
    openings = bytearray(given.openings)
    openings[byte] ^= 1
    assert submitter.refusal(given, openings=bytes(openings)) == "BlobOpeningInvalid(0)"


def test_value__y_plus_the_modulus__refused(submitter, given):
    """The same number modulo r in other bytes."""
    [point] = given.output.blobs
    aliased = int.from_bytes(point.y, "big") + BLS_MODULUS
    lying = given.claiming(blobs=(BlobPoint(point.versioned_hash, aliased.to_bytes(32, "big")),))
    assert submitter.refusal(lying) == "BlobOpeningInvalid(0)"


@pytest.mark.parametrize("length", [0, 48, 95, 97, 192])
def test_openings__wrong_length__refused(submitter, given, length):
    openings = (given.openings * 2)[:length]
    assert submitter.refusal(given, openings=openings) == f"WrongOpeningsLength({length}, 96)"


def test_opening__invalid_with_much_gas__burns_a_bounded_amount(submitter, given):
    """A failing precompile burns all it is given: it is given a little."""
    receipt = submitter.send(replace(given, openings=bytes(96)))
    assert receipt["status"] == 0
    assert receipt["gasUsed"] < REFUSED_OPENING_GAS
