"""Verifiers over public routers (one pinned route each), and the devnet's verifier."""

from __future__ import annotations

import pytest
from aggregation_helper import deploy_harness
from eth_utils import keccak
from verifier_helper import ACCEPTED, outcome, verdict
from web3.types import RPCEndpoint

from aligned.core.aggregation import dev_proof
from sample_aggregations import RISC0, SP1, aggregate

ROUTES = "forge/helpers/StandInRoutes.sol"
PROGRAM = keccak(b"program behind a route")
SELECTOR = bytes.fromhex("4388a21c")
INPUTS, PROOF = b"public inputs", SELECTOR + b"the one proof that is accepted"
SYSTEMS = pytest.mark.parametrize("system", [SP1, RISC0], ids=["sp1", "risc0"])
NAMES = {SP1: "SP1GatewayVerifier", RISC0: "Risc0RouterVerifier"}
OTHER_CHAIN = 1


@pytest.fixture
def router(web3, owner):
    return deploy_harness(web3, owner, ROUTES, "StandInRouter")


@pytest.fixture
def public_verifier(web3, owner):
    return deploy_harness(web3, owner, ROUTES, "StandInVerifier", PROGRAM, INPUTS, PROOF)


@pytest.fixture
def point(router, owner, web3):
    """Lets the router's owner change the route."""

    def change(verifier: str, frozen: bool = False) -> None:
        tx_hash = router.functions.set(verifier, frozen).transact({"from": owner.address})
        assert web3.eth.wait_for_transaction_receipt(tx_hash)["status"] == 1

    return change


@pytest.fixture
def route(project, owner, router, public_verifier, point, web3):
    """A verifier of that system with the route as it should be."""

    def create(system):
        point(public_verifier.address)
        code_hash = keccak(bytes(web3.eth.get_code(public_verifier.address)))
        args = (router.address, SELECTOR, public_verifier.address, code_hash, PROGRAM)
        return owner.deploy(getattr(project, NAMES[system]), *args)

    return create


@SYSTEMS
def test_route__as_pinned__proof_accepted_and_others_refused(route, web3, system):
    verifier = route(system)
    assert (verifier.systemId(), bytes(verifier.programId())) == (system, PROGRAM)
    assert verdict(web3, verifier.address, INPUTS, PROOF) == ACCEPTED
    assert verdict(web3, verifier.address, INPUTS, PROOF + b"\0") == "ProofInvalid()"
    assert verdict(web3, verifier.address, INPUTS + b"\0", PROOF) == "ProofInvalid()"


@SYSTEMS
def test_selector__of_another_version__refused(route, web3, system):
    """The router would send it to another verifier, perhaps an unsound one."""
    proof = bytes.fromhex("0e78f4db") + PROOF[4:]
    answer = verdict(web3, route(system).address, INPUTS, proof)
    assert answer == "WrongSelector(0x0e78f4db, 0x4388a21c)"


@SYSTEMS
@pytest.mark.parametrize("length", [0, 3])
def test_proof__shorter_than_a_selector__refused(route, web3, system, length):
    answer = verdict(web3, route(system).address, INPUTS, PROOF[:length])
    assert answer == f"WrongProofLength({length}, 4)"


@SYSTEMS
def test_route__replaced_by_a_verifier_that_accepts_anything__refused(
    route, point, web3, owner, public_verifier, system
):
    verifier = route(system)
    malicious = deploy_harness(web3, owner, ROUTES, "StandInVerifier", PROGRAM, INPUTS, PROOF)
    point(malicious.address)
    expected = f"RouteChanged({malicious.address.lower()}, {public_verifier.address.lower()})"
    assert verdict(web3, verifier.address, INPUTS, PROOF) == expected


def test_route__frozen__refused(route, point, public_verifier, web3):
    verifier = route(SP1)
    point(public_verifier.address, frozen=True)
    assert verdict(web3, verifier.address, INPUTS, PROOF) == "RouteFrozen(0x4388a21c)"


def test_route__removed__refused(route, point, public_verifier, web3):
    """RISC Zero's router reverts then; Succinct's has no verifier for the selector."""
    sp1, risc0 = route(SP1), route(RISC0)
    point("0x" + "00" * 20)
    expected = f"RouteChanged(0x{'00' * 20}, {public_verifier.address.lower()})"
    assert verdict(web3, sp1.address, INPUTS, PROOF) == expected
    selector = keccak(text="SelectorUnknown(bytes4)")[:4].hex()
    assert verdict(web3, risc0.address, INPUTS, PROOF).startswith(f"no known error: {selector}")


@SYSTEMS
def test_route__code_at_the_pinned_address_differs__refused(route, public_verifier, web3, system):
    verifier = route(system)
    accepts_all = "0x00"
    found = keccak(b"\0").hex()
    pinned = bytes(verifier.CODE_HASH()).hex()
    web3.provider.make_request(RPCEndpoint("anvil_setCode"), [public_verifier.address, accepts_all])
    assert verdict(web3, verifier.address, INPUTS, PROOF) == f"CodeChanged(0x{found}, 0x{pinned})"


@SYSTEMS
def test_route__created_with_another_code_hash__refused(
    project, web3, owner, router, public_verifier, system
):
    contract = getattr(project, NAMES[system]).contract_type
    args = (router.address, SELECTOR, public_verifier.address, bytes(32), PROGRAM)
    abi = [item.model_dump(mode="json", by_alias=True) for item in contract.abi]
    factory = web3.eth.contract(abi=abi, bytecode=str(contract.deployment_bytecode.bytecode))
    answer = outcome(web3, {"from": owner.address, "data": factory.constructor(*args).data_in_transaction})
    assert answer.startswith("CodeChanged(")


# ------------------------------------------------------------------------------------------ devnet


@pytest.fixture
def dev(project, owner):
    return owner.deploy(project.DevVerifier, SP1, PROGRAM)


@pytest.fixture
def on_chain_id(web3):
    """Runs a function while the chain has another id."""
    made: list[int] = []

    def change(chain_id: int) -> None:
        made.append(chain_id)
        web3.provider.make_request(RPCEndpoint("anvil_setChainId"), [chain_id])

    yield change
    if made:
        web3.provider.make_request(RPCEndpoint("anvil_setChainId"), [31337])


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_dev_verifier__its_proof_on_a_devnet__accepted(dev, web3, level):
    assert verdict(web3, dev.address, INPUTS, dev_proof(level, PROGRAM, INPUTS)) == ACCEPTED


@pytest.mark.parametrize("level", [0, 5, 255])
def test_dev_verifier__unknown_level__refused(dev, web3, level):
    """5 is Groth16, which has real verifiers."""
    answer = verdict(web3, dev.address, INPUTS, dev_proof(level, PROGRAM, INPUTS))
    assert answer == "ProofInvalid()"


def test_dev_verifier__other_program_inputs_or_length__refused(dev, web3):
    right = dev_proof(1, PROGRAM, INPUTS)
    wrong = [
        dev_proof(1, keccak(b"another"), INPUTS),
        dev_proof(1, PROGRAM, INPUTS + b"\0"),
        bytes(32) + right[32:],
    ]
    assert [verdict(web3, dev.address, INPUTS, each) for each in wrong] == ["ProofInvalid()"] * 3
    for each in (b"", right[:-1], right + b"\0"):
        assert verdict(web3, dev.address, INPUTS, each) == f"WrongProofLength({len(each)}, 65)"


def test_dev_verifier__created_on_another_chain__refused(project, web3, owner, on_chain_id):
    contract = project.DevVerifier.contract_type
    code = str(contract.deployment_bytecode.bytecode)
    data = code + (bytes(31) + b"\1" + PROGRAM).hex()
    on_chain_id(OTHER_CHAIN)
    assert outcome(web3, {"from": owner.address, "data": data}) == "NotDevChain(1)"


def test_dev_verifier__called_on_another_chain__refused(dev, web3, on_chain_id):
    """A fork of a devnet, or a chain that took over its state."""
    proof = dev_proof(1, PROGRAM, INPUTS)
    on_chain_id(OTHER_CHAIN)
    assert verdict(web3, dev.address, INPUTS, proof) == "NotDevChain(1)"


def test_dev_proof__through_the_service_on_a_devnet__recorded(aggregations, submitter, project, owner, web3):
    given = aggregate(SP1, 3, "dev")
    dev = owner.deploy(project.DevVerifier, SP1, PROGRAM)
    aggregations.allowProgram(SP1, PROGRAM, dev, sender=owner)
    proof = dev_proof(1, PROGRAM, given.public_inputs)
    assert submitter.send(given, program=PROGRAM, proof=proof)["status"] == 1
    assert bytes(aggregations.aggregatedProofs(given.root)[4]) == PROGRAM
