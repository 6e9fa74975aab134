"""The keys and constants in the verifiers are those that were published, and sound as keys go."""

from __future__ import annotations

import hashlib
import json

import pytest
from aggregation_helper import deploy_harness
from eth_utils import keccak
from verifier_helper import ACCEPTED, VECTORS, creation, raw

import groth16_key as trapdoor
from harness import contracts_of
from sample_aggregations import KEY, KEYED
from tests.reference.gnark_key import decode_key

SP1_VK = VECTORS / "groth16" / "sp1_v6.1.0_vk.bin"
SP1_VK_SHA256 = "4388a21c687fdd5f218d7e3d13190cac4c5355818d3605fd5fb811df468ee696"
CONTROL_ROOT = "0xa54dc85ac99f851c92d7c96d7318af41dbe7c0194edfcc37eb4d422a998c1f56"
CONTROL_ID = "0x04446e66d300eb7fb45c9726bb53c793dda407a62e9601618bb43c5c14657ac0"
RISC0_KEY_DIGEST = "21c5fdd9b4d576b17581f50b755482ba7a2134a3b5186e8e454acfa1f69511ab"
R = trapdoor.R


def plain(value):
    """Tuples of integers, whatever a library returned."""
    return tuple(plain(item) for item in value) if isinstance(value, (list, tuple)) else int(value)


def listed(name: str):
    key = json.loads((VECTORS / "groth16" / "keys.json").read_text())[name]
    pair = [((k[1], k[0]), (k[3], k[2])) for k in (key["beta"], key["gamma"], key["delta"])]
    return plain((key["alpha"], *pair, key["ic"]))


@pytest.fixture(scope="module")
def published(web3, owner):
    return deploy_harness(web3, owner, "forge/helpers/PublishedKeys.sol", "PublishedKeys")


def test_sp1_key__in_the_contract__is_the_published_file(published, project, owner):
    data = SP1_VK.read_bytes()
    assert hashlib.sha256(data).hexdigest() == SP1_VK_SHA256
    key = plain(published.functions.sp1().call())
    assert key == plain(decode_key(data)) == listed("sp1 v6.1.0")
    verifier = owner.deploy(project.SP1Groth16Verifier, b"\0" * 31 + b"\1")
    assert bytes(verifier.SELECTOR()).hex() == SP1_VK_SHA256[:8]


def test_risc0_key__in_the_contract__has_the_published_digest(published):
    key = plain(published.functions.risc0().call())
    assert key == listed("risc0")
    assert published.functions.risc0Digest().call().hex() == RISC0_KEY_DIGEST
    assert trapdoor.key_digest(key).hex() == RISC0_KEY_DIGEST


def test_risc0_selector__recomputed_from_the_parameters__is_that_of_version_3(project, owner):
    verifier = owner.deploy(project.Risc0Groth16Verifier, b"\1" * 32, raw(CONTROL_ROOT), raw(CONTROL_ID))
    digest = trapdoor.parameters_digest(raw(CONTROL_ROOT), raw(CONTROL_ID), raw(RISC0_KEY_DIGEST))
    assert bytes(verifier.SELECTOR()) == digest[:4] == bytes.fromhex("73c457ba")


@pytest.mark.parametrize(
    ("control_root", "selector"),
    [
        ("0x539032186827b06719244873b17b2d4c122e2d02cfb1994fe958b2523b844576", "9f39696c"),
        ("0xce52bf56033842021af3cf6db8a50d1b7535c125a34f1a22c6fdcf002c5a1529", "bb001d44"),
        ("0xb1f64013f70bbb386a8b3a3d63552c5cb5ea4a549ec7fb1ecc2a031dbf488167", "c27d1bc0"),
    ],
    ids=["2.0", "2.2", "5.0.0-rc.1"],
)
def test_risc0_selector__of_other_versions__is_theirs(project, owner, control_root, selector):
    verifier = owner.deploy(project.Risc0Groth16Verifier, b"\1" * 32, raw(control_root), raw(CONTROL_ID))
    assert bytes(verifier.SELECTOR()).hex() == selector


def test_risc0_claim__in_the_contract__equals_the_plain_one(published):
    image, journal = keccak(b"image"), b"any journal"
    digest = trapdoor.claim_digest(image, journal)
    assert published.functions.risc0Claim(image, journal).call() == digest


@pytest.mark.parametrize("name", ["sp1 v6.1.0", "risc0"])
def test_key__gamma_and_delta__differ_and_delta_is_not_the_generator(name):
    _alpha, _beta, gamma, delta, _ic = listed(name)
    assert gamma == plain(trapdoor.g2(1))
    assert delta not in (gamma, plain(trapdoor.g2(-1)))


# ------------------------------------------------------------------------------------------ bad keys


@pytest.fixture
def created(web3, owner):
    """Outcome of creating an SP1 verifier with this key."""
    abi, code = contracts_of(KEYED)["KeyedSP1Verifier"]
    return lambda key, program=1: creation(
        web3, owner, abi, code, key, b"\1" * 4, bytes(32), trapdoor.word(program)
    )


def test_key__as_it_should_be__accepted(created):
    assert created(KEY.abi()) == ACCEPTED


def test_key__gamma_equals_delta__refused(created):
    """An unfinished ceremony: anybody can prove anything (Veil Cash and others, 2026)."""
    alpha, beta, gamma, _delta, ic = KEY.abi()
    assert created((alpha, beta, gamma, gamma, ic)) == "DegenerateKey()"


@pytest.mark.parametrize("field", [1, 2, 3], ids=["beta", "gamma", "delta"])
def test_key__point_of_g2_off_the_curve__refused(created, field):
    key = list(KEY.abi())
    (x, y) = key[field]
    key[field] = (x, (y[0], (y[1] + 1) % trapdoor.P))
    assert created(tuple(key)) == "DegenerateKey()"


@pytest.mark.parametrize("position", range(6))
def test_key__ic_point_off_the_curve__refused(created, position):
    alpha, beta, gamma, delta, ic = KEY.abi()
    ic[position] = (ic[position][0], ic[position][1] + 1)
    assert created((alpha, beta, gamma, delta, ic)) == "DegenerateKey()"


@pytest.mark.parametrize("value", [R, R + 1, 2 * R, 2**256 - 1])
def test_program_key__not_below_the_group_order__refused(created, value):
    """program + r is the same number in the circuit: an alias of an allowed program."""
    assert created(KEY.abi(), value) == f"InputNotInField({value})"


def test_public_verifiers__constant_input_not_below_the_group_order__refused(web3, owner, artifacts, project):
    alias = trapdoor.word(5 + R)
    for name, args in (
        ("SP1Groth16Verifier", (alias,)),
        ("Risc0Groth16Verifier", (keccak(b"image"), raw(CONTROL_ROOT), alias)),
    ):
        code = getattr(project, name).contract_type
        abi = [item.model_dump(mode="json", by_alias=True) for item in code.abi]
        answer = creation(web3, owner, abi, str(code.deployment_bytecode.bytecode), *args)
        assert answer == f"InputNotInField({5 + R})"
