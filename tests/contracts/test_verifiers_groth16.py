"""The Groth16 verifiers: real proofs pass, what is near them is refused, and the gas that bad bytes burn is bounded."""

from __future__ import annotations

import json

import pytest
from aggregation_helper import deploy_harness
from eth_utils import keccak
from verifier_helper import ACCEPTED, VECTORS, gas_used, raw, shared_proofs, verdict

import groth16_key as trapdoor
from sample_aggregations import KEY, KEYED, PROVERS, RISC0, SP1
from tests.reference.gnark_key import decode_key, twist_y

R, P = trapdoor.R, trapdoor.P
CONTROL_ROOT = PROVERS[RISC0].control_root
CONTROL_ID = PROVERS[RISC0].control_id
SYSTEMS = pytest.mark.parametrize("system", [SP1, RISC0], ids=["sp1", "risc0"])
INPUTS = b"public inputs of some length"
HEAD = {SP1: 100, RISC0: 4}
# A valid proof costs about 216,000 (SP1) and 224,000 (RISC Zero) as a transaction; a pairing may burn 19,000 more.
REFUSED_GAS = 250_000


@pytest.fixture
def asked(web3, keyed_verifiers):
    """What the verifier under the tests' key says."""
    return lambda system, proof, inputs=INPUTS: verdict(web3, keyed_verifiers[system].address, inputs, proof)


def words_of(system, proof):
    return [int.from_bytes(proof[i : i + 32], "big") for i in range(HEAD[system], len(proof), 32)]


def with_words(system, proof, words):
    return proof[: HEAD[system]] + b"".join(trapdoor.word(value) for value in words)


# ------------------------------------------------------------------------------------------ real proofs


def test_sp1_proof__real_of_v6_1_0__accepted_and_nothing_near_it(web3, project, owner):
    [fixture] = [each for each in shared_proofs("sp1.json") if each["selector"] == "0x4388a21c"]
    program, values, proof = (raw(fixture[name]) for name in ("programVKey", "publicValues", "proofBytes"))
    verifier = owner.deploy(project.SP1Groth16Verifier, program).address
    assert verdict(web3, verifier, values, proof) == ACCEPTED
    assert verdict(web3, verifier, values + b"\0", proof) == "ProofInvalid()"
    assert verdict(web3, verifier, values, proof[:-1]) == "WrongProofLength(355, 356)"
    assert verdict(web3, verifier, values, proof + b"\0") == "WrongProofLength(357, 356)"
    other = owner.deploy(project.SP1Groth16Verifier, program[:-1] + b"\0").address
    assert verdict(web3, other, values, proof) == "ProofInvalid()"


def test_sp1_proof__of_every_other_version__refused(web3, project, owner):
    """v6.0.0 has the right length and a proof that was once valid, of an unsound circuit."""
    others = [each for each in shared_proofs("sp1.json") if each["selector"] != "0x4388a21c"]
    assert "0x0e78f4db" in {each["selector"] for each in others}
    for each in others:
        verifier = owner.deploy(project.SP1Groth16Verifier, raw(each["programVKey"])).address
        answer = verdict(web3, verifier, raw(each["publicValues"]), raw(each["proofBytes"]))
        length = len(raw(each["proofBytes"]))
        selector = f"WrongSelector({each['selector']}, 0x4388a21c)"
        assert answer == (selector if length == 356 else f"WrongProofLength({length}, 356)")


def test_sp1_v6_0_0__under_the_current_selector__refused(web3, project, owner):
    [old] = [each for each in shared_proofs("sp1.json") if each["selector"] == "0x0e78f4db"]
    verifier = owner.deploy(project.SP1Groth16Verifier, raw(old["programVKey"])).address
    proof = raw("0x4388a21c") + raw(old["proofBytes"])[4:]
    assert verdict(web3, verifier, raw(old["publicValues"]), proof).startswith("InvalidVkRoot(")
    root = raw("0x002f850ee998974d6cc00e50cd0814b098c05bfade466d28573240d057f25352")
    proof = proof[:36] + root + proof[68:]
    assert verdict(web3, verifier, raw(old["publicValues"]), proof) == "ProofInvalid()"


def test_sp1_v6_0_0_selector__refused(asked):
    """Without fixtures: the right length and everything else right."""
    proof = raw("0x0e78f4db") + PROVERS[SP1].prove(INPUTS)[4:]
    assert asked(SP1, proof) == "WrongSelector(0x0e78f4db, 0x4388a21c)"


def test_sp1_proof__real_under_own_devnet_keys__accepted_by_their_verifier_only(web3, owner, project):
    folder = VECTORS / "sp1" / "groth16_dev"
    fixture = json.loads((folder / "proof.json").read_text())
    data = (folder / "groth16_vk.bin").read_bytes()
    program, values = raw(fixture["programVKey"]), raw(fixture["publicValues"])
    root, selector = raw(fixture["inputs"][3]), trapdoor.hashlib.sha256(data).digest()[:4]
    theirs = deploy_harness(
        web3, owner, KEYED, "KeyedSP1Verifier", decode_key(data), selector, root, program
    ).address
    body = bytes(32) + root + bytes(32) + raw(fixture["proof_words"])
    assert verdict(web3, theirs, values, selector + body) == ACCEPTED
    ours = owner.deploy(project.SP1Groth16Verifier, program).address
    error = f"WrongSelector(0x{selector.hex()}, 0x4388a21c)"
    assert verdict(web3, ours, values, selector + body) == error
    assert verdict(web3, ours, values, raw("0x4388a21c") + body) == "ProofInvalid()"


def risc0_receipt() -> tuple[bytes, bytes, bytes]:
    """(image id, journal, seal) of the public test receipt of version 3.0."""
    folder = VECTORS / "risc0"
    receipt = (folder / "groth16_v3.proof").read_bytes()
    points = receipt[12 : 12 + 256]  # bincode: variant, length of the seal, seal
    image, journal = ((folder / f"groth16_v3.{end}").read_bytes() for end in ("id", "pub"))
    return image, journal, raw("0x73c457ba") + points


def test_risc0_receipt__real_of_3_0__accepted_and_nothing_near_it(web3, project, owner):
    image, journal, seal = risc0_receipt()
    verifier = owner.deploy(project.Risc0Groth16Verifier, image, CONTROL_ROOT, CONTROL_ID).address
    assert verdict(web3, verifier, journal, seal) == ACCEPTED
    assert verdict(web3, verifier, journal + b"\0", seal) == "ProofInvalid()"
    assert verdict(web3, verifier, journal, seal[:-1]) == "WrongProofLength(259, 260)"
    assert verdict(web3, verifier, journal, seal + b"\0") == "WrongProofLength(261, 260)"
    other = owner.deploy(project.Risc0Groth16Verifier, keccak(image), CONTROL_ROOT, CONTROL_ID).address
    assert verdict(web3, other, journal, seal) == "ProofInvalid()"


def test_risc0_fake_receipt__refused(web3, project, owner):
    """What a dev-mode prover gives instead of a seal: selector ffffffff and the claim's digest."""
    image, journal, seal = risc0_receipt()
    verifier = owner.deploy(project.Risc0Groth16Verifier, image, CONTROL_ROOT, CONTROL_ID).address
    fake = b"\xff" * 4 + trapdoor.claim_digest(image, journal)
    assert verdict(web3, verifier, journal, fake) == "WrongProofLength(36, 260)"
    padded = b"\xff" * 4 + seal[4:]
    assert verdict(web3, verifier, journal, padded) == "WrongSelector(0xffffffff, 0x73c457ba)"


def test_risc0_seals__of_shared_versions__accepted_by_the_verifier_of_their_version_only(
    web3, project, owner
):
    for each in shared_proofs("risc0.json"):
        image, root, control_id = (raw(each[name]) for name in ("imageId", "controlRoot", "bn254ControlId"))
        journal, seal = raw(each["journal"]), raw(each["seal"])
        verifier = owner.deploy(project.Risc0Groth16Verifier, image, root, control_id).address
        assert verdict(web3, verifier, journal, seal) == ACCEPTED
        if root != CONTROL_ROOT:
            current = owner.deploy(project.Risc0Groth16Verifier, image, CONTROL_ROOT, CONTROL_ID).address
            error = f"WrongSelector({each['selector']}, 0x73c457ba)"
            assert verdict(web3, current, journal, seal) == error
            forged = raw("0x73c457ba") + seal[4:]
            assert verdict(web3, current, journal, forged) == "ProofInvalid()"


# ------------------------------------------------------------------------------------------ proofs of the tests' key


@SYSTEMS
@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 64, 128, 448, 5_000])
def test_proof__inputs_of_any_size__accepted_for_exactly_those(asked, system, size):
    inputs = bytes(range(256)) * 20
    proof = PROVERS[system].prove(inputs[:size])
    assert asked(system, proof, inputs[:size]) == ACCEPTED
    assert asked(system, proof, inputs[: size + 1]) == "ProofInvalid()"


@SYSTEMS
@pytest.mark.parametrize("length", [0, 3, 4, 100, 260, 355, 356, 357, 512])
def test_proof__every_other_length__refused(asked, system, length):
    expected = {SP1: 356, RISC0: 260}[system]
    proof = (PROVERS[system].prove(INPUTS) + bytes(300))[:length]
    answer = ACCEPTED if length == expected else f"WrongProofLength({length}, {expected})"
    assert asked(system, proof) == answer


@SYSTEMS
def test_proof__re_randomised__accepted(asked, system):
    """Groth16 is malleable: no bytes of a proof may serve as an identity, and none do."""
    assert asked(system, PROVERS[system].prove(INPUTS, salt="another")) == ACCEPTED
    proof = PROVERS[system].prove(INPUTS)
    words = words_of(system, proof)
    negated = [words[0], P - words[1], *words[2:4], P - words[4], P - words[5], *words[6:]]
    assert asked(system, with_words(system, proof, negated)) == ACCEPTED


@SYSTEMS
@pytest.mark.parametrize("position", range(8))
def test_point__coordinate_plus_p__refused(asked, system, position):
    proof = PROVERS[system].prove(INPUTS)
    words = words_of(system, proof)
    words[position] += P
    assert words[position] < 2**256
    assert asked(system, with_words(system, proof, words)) == "ProofInvalid()"


@SYSTEMS
@pytest.mark.parametrize("position", range(8))
def test_point__off_the_curve__refused_with_bounded_gas(
    asked, web3, keyed_verifiers, non_owner, system, position
):
    proof = PROVERS[system].prove(INPUTS)
    words = words_of(system, proof)
    words[position] ^= 1
    bad = with_words(system, proof, words)
    assert asked(system, bad) == "ProofInvalid()"
    status, gas = gas_used(web3, non_owner, keyed_verifiers[system].address, INPUTS, bad)
    assert status == 0
    assert gas < REFUSED_GAS


@SYSTEMS
@pytest.mark.parametrize("points", [(0, 2), (2, 6), (6, 8), (0, 8), (0, 6)], ids=["A", "B", "C", "all", "AB"])
def test_point__infinity__refused(asked, system, points):
    proof = PROVERS[system].prove(INPUTS)
    words = words_of(system, proof)
    words[slice(*points)] = [0] * (points[1] - points[0])
    assert asked(system, with_words(system, proof, words)) == "ProofInvalid()"


@SYSTEMS
def test_point__of_g2_outside_the_subgroup__refused(asked, system):
    """On the twist, but not of the group's order: the pairing precompile looks."""
    (x, y) = next(((0, re), twist_y((0, re))) for re in range(1, 100) if twist_y((0, re)))
    proof = PROVERS[system].prove(INPUTS)
    words = words_of(system, proof)
    words[2:6] = [*x, *y]
    assert asked(system, with_words(system, proof, words)) == "ProofInvalid()"


# ------------------------------------------------------------------------------------------ SP1's further fields


def test_sp1_nonce__any_below_the_order__accepted_for_exactly_that(asked):
    proof = PROVERS[SP1].prove(INPUTS, nonce=R - 1)
    assert asked(SP1, proof) == ACCEPTED
    assert asked(SP1, proof[:68] + bytes(32) + proof[100:]) == "ProofInvalid()"


@pytest.mark.parametrize("nonce", [R, R + 5, 2**256 - 1])
def test_sp1_nonce__not_below_the_order__refused(asked, nonce):
    """nonce + r is the same number in the circuit."""
    proof = PROVERS[SP1].prove(INPUTS, nonce=nonce % R)
    aliased = proof[:68] + trapdoor.word(nonce) + proof[100:]
    assert asked(SP1, aliased) == f"InputNotInField({nonce})"


@pytest.mark.parametrize("code", [1, 255, 2**32, R, 2**256 - 1])
def test_sp1_exit_code__not_zero__refused(asked, code):
    """Also r, which is zero in the circuit."""
    proof = PROVERS[SP1].prove(INPUTS, exit_code=code)
    assert asked(SP1, proof) == f"InvalidExitCode({code})"


def test_sp1_exit_code__not_zero_but_written_as_zero__refused(asked):
    proof = PROVERS[SP1].prove(INPUTS, exit_code=1)
    assert asked(SP1, proof[:4] + bytes(32) + proof[36:]) == "ProofInvalid()"


def test_sp1_vk_root__another__refused(asked):
    root = int.from_bytes(PROVERS[SP1].vk_root, "big")
    for other in (0, root + 1, root + R):
        proof = PROVERS[SP1].prove(INPUTS, vk_root=other)
        expected = f"InvalidVkRoot(0x{other:064x}, 0x{root:064x})"
        assert asked(SP1, proof) == expected


def test_sp1_public_values__hash_by_another_function__refused(asked):
    digest = int.from_bytes(keccak(INPUTS), "big") & trapdoor.HASH_MASK
    prover = PROVERS[SP1]
    program, root = (int.from_bytes(each, "big") for each in (prover.program_id, prover.vk_root))
    points = KEY.prove([program, digest, 0, root, 0])
    head = prover.selector + bytes(32) + prover.vk_root + bytes(32)
    assert asked(SP1, head + points) == "ProofInvalid()"


# ------------------------------------------------------------------------------------------ RISC Zero's claim


@pytest.mark.parametrize("code", [1, 2, 2**31])
def test_risc0_exit_code__not_zero__refused(asked, code):
    assert asked(RISC0, PROVERS[RISC0].prove(INPUTS, exit_code=code)) == "ProofInvalid()"


def test_risc0_claim__with_an_assumption_left__refused(asked):
    """A conditional receipt: its claim's output has an assumption."""
    prover = PROVERS[RISC0]
    halted = trapdoor.tagged("risc0.SystemState", [bytes(32)], bytes(4))
    journal = trapdoor.hashlib.sha256(INPUTS).digest()
    output = trapdoor.tagged("risc0.Output", [journal, keccak(b"an assumption")])
    claim = trapdoor.tagged("risc0.ReceiptClaim", [bytes(32), prover.program_id, halted, output], bytes(8))
    inputs = [*trapdoor.halves(CONTROL_ROOT), *trapdoor.halves(claim), int.from_bytes(CONTROL_ID, "big")]
    assert asked(RISC0, prover.selector + KEY.prove(inputs)) == "ProofInvalid()"


def test_risc0_control_root__another__refused(asked):
    prover = PROVERS[RISC0]
    other = type(prover)(prover.key, prover.program_id, keccak(b"other root"), prover.control_id)
    seal = other.prove(INPUTS)
    assert asked(RISC0, seal) == f"WrongSelector(0x{seal[:4].hex()}, 0x{prover.selector.hex()})"
    assert asked(RISC0, prover.selector + seal[4:]) == "ProofInvalid()"
