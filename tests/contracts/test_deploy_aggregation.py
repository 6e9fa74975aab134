"""What the deployment plan makes of aggregation mode: programs, verifiers, and checks that notice any other state."""

from __future__ import annotations

import json

import pytest
from eth_utils import keccak

from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import InvariantError, ProtocolError
from aligned.devnet.deploy import deploy
from aligned.devnet.deploy_checks import check_deployment
from aligned.devnet.deploy_plan import Plan
from aligned.devnet.deploy_roles import GUARDIAN_ROLE
from aligned.devnet.params import DeploymentParams
from aligned.provers.programs import load_program_ids

ALLOWED = 1
SP1, RISC0 = AggregationSystem


@pytest.fixture
def plan(sender, params, artifacts, programs):
    return Plan(sender, params, artifacts, None, programs)


@pytest.fixture
def with_verifiers(params):
    """The parameters with other verifiers, validated."""

    def change(verifiers: str, **fields: object) -> DeploymentParams:
        raw = params.model_dump()
        raw["aggregation"] |= {"verifiers": verifiers, **fields}
        return DeploymentParams.model_validate(raw)

    return change


def verifiers_of(service, programs) -> list[str]:
    return [service.programOf(program)[2] for program in programs.values()]


def test_devnet__every_program__allowed_with_a_dev_verifier_of_its_own(
    aggregation_service, programs, project
):
    assert [bytes(program) for program in aggregation_service.programIds()] == list(programs.values())
    for system, program in programs.items():
        its_system, status, verifier = aggregation_service.programOf(program)
        assert (its_system, status) == (system, ALLOWED)
        dev = project.DevVerifier.at(verifier)
        assert (dev.systemId(), dev.programId()) == (system, program)


def test_deploy__no_programs_given__those_of_this_release(sender, params, artifacts, project):
    placed = deploy(sender, params, artifacts)
    service = project.AlignedProofAggregationService.at(placed.aggregation_service)
    released = [ids.chunk for ids in load_program_ids().values()]
    assert [bytes(program) for program in service.programIds()] == released


def test_groth16__released_programs__both_verifiers_take_them(sender, artifacts, with_verifiers, project):
    placed = deploy(sender, with_verifiers("groth16"), artifacts)
    service = project.AlignedProofAggregationService.at(placed.aggregation_service)
    for system, ids in load_program_ids().items():
        assert service.programOf(ids.chunk)[:2] == (system, ALLOWED)


def test_deploy__a_system_without_program__refused(sender, params, artifacts, programs, owner):
    nonce = owner.nonce
    with pytest.raises(ProtocolError, match="no aggregating program for sp1"):
        deploy(sender, params, artifacts, programs={RISC0: programs[RISC0]})
    assert owner.nonce == nonce


def test_groth16__on_a_devnet__real_verifiers_of_the_pinned_versions(
    sender, artifacts, with_verifiers, programs, project
):
    params = with_verifiers("groth16")
    placed = deploy(sender, params, artifacts, programs=programs)
    service = project.AlignedProofAggregationService.at(placed.aggregation_service)
    sp1, risc0 = verifiers_of(service, programs)
    assert project.SP1Groth16Verifier.at(sp1).programId() == programs[SP1]
    assert project.Risc0Groth16Verifier.at(risc0).SELECTOR() == params.aggregation.risc0.selector


def test_groth16__risc0_constants_of_another_version__refused(sender, artifacts, with_verifiers, programs):
    """Those of 2.0, which accepted wrong proofs, under the selector of 3.0."""
    root = "0x539032186827b06719244873b17b2d4c122e2d02cfb1994fe958b2523b844576"
    aggregation = with_verifiers("dev").aggregation.risc0
    params = with_verifiers(
        "groth16",
        risc0={"control_root": root, "control_id": aggregation.control_id, "selector": "0x73c457ba"},
    )
    with pytest.raises(InvariantError, match="selector 0x9f39696c, expected 0x73c457ba"):
        deploy(sender, params, artifacts, programs=programs)


def test_gateway__code_of_the_pinned_verifier_differs__refused_before_the_first_transaction(
    sender, artifacts, with_verifiers, programs, registry, service_manager, owner
):
    nonce = owner.nonce
    route = {"router": registry.address, "selector": "0x4388a21c", "verifier": service_manager.address}
    routes = {name: route | {"code_hash": "0x" + "11" * 32} for name in ("sp1", "risc0")}
    with pytest.raises(ProtocolError, match="verifier of route sp1: code hash 0x"):
        deploy(sender, with_verifiers("gateway", routes=routes), artifacts, programs=programs)
    assert owner.nonce == nonce


def test_gateway__pinned_code_as_stated__verifiers_carry_the_route(
    sender, artifacts, with_verifiers, programs, registry, service_manager, project
):
    """Any contract can be pinned; whether the router routes there is asked at each proof."""
    code_hash = keccak(sender.code(service_manager.address))
    route = {
        "router": registry.address,
        "selector": "0x4388a21c",
        "verifier": service_manager.address,
        "code_hash": "0x" + code_hash.hex(),
    }
    params = with_verifiers("gateway", routes={"sp1": route, "risc0": route})
    placed = deploy(sender, params, artifacts, programs=programs)
    service = project.AlignedProofAggregationService.at(placed.aggregation_service)
    for verifier in verifiers_of(service, programs):
        pinned = project.SP1GatewayVerifier.at(verifier)
        assert (pinned.ROUTER(), pinned.VERIFIER()) == (registry.address, service_manager.address)
        assert (pinned.SELECTOR(), pinned.CODE_HASH()) == (bytes.fromhex("4388a21c"), code_hash)


@pytest.mark.parametrize(
    ("verifiers", "fields", "message"),
    [
        ("groth16", {"risc0": None}, "needs the section risc0"),
        ("gateway", {}, "needs routes for sp1, risc0"),
        ("none", {}, "'dev', 'groth16' or 'gateway'"),
        ("dev", {"max_ahead_s": 2_592_000}, "at least 2 periods"),
        ("dev", {"price_wei": 0}, "price_wei"),
        (
            "dev",
            {"risc0": {"control_root": 1, "control_id": "0x12", "selector": "73c457ba"}},
            "64 hex digits",
        ),
    ],
)
def test_params__unusable__refused(with_verifiers, verifiers, fields, message):
    with pytest.raises(ValueError, match=message):
        with_verifiers(verifiers, **fields)


def test_params__dev_verifiers_outside_a_devnet__refused(params, non_owner):
    """Anybody can write a proof that DevVerifier takes."""
    raw = params.model_dump() | {"chain_id": 1}
    raw["roles"] = dict.fromkeys(("admin", "guardian", "ejector", "slasher"), non_owner.address)
    raw["payment"]["batcher"] = raw["aggregation"]["recipient"] = non_owner.address
    with pytest.raises(ValueError, match="dev exists on a devnet only"):
        DeploymentParams.model_validate(raw)


def test_check__another_verifier_in_its_place__noticed(
    plan, deployment, aggregation_service, programs, project, owner
):
    check_deployment(plan, deployment)
    real = owner.deploy(project.SP1Groth16Verifier, programs[SP1])
    aggregation_service.allowProgram(1, programs[SP1], real, sender=owner)
    with pytest.raises(InvariantError, match="is not DevVerifier with these parameters"):
        check_deployment(plan, deployment)


def test_check__dev_verifier_where_a_real_one_is_due__noticed(
    sender, deployment, artifacts, with_verifiers, programs
):
    plan = Plan(sender, with_verifiers("groth16"), artifacts, None, programs)
    with pytest.raises(InvariantError, match="is not SP1Groth16Verifier with these parameters"):
        check_deployment(plan, deployment)


def test_check__program_disallowed_or_added__noticed(
    plan, deployment, aggregation_service, programs, project, owner
):
    stranger = bytes([0, *([7] * 31)])
    verifier = owner.deploy(project.DevVerifier, 2, stranger)
    aggregation_service.allowProgram(2, stranger, verifier, sender=owner)
    aggregation_service.disallowProgram(programs[RISC0], sender=owner)
    with pytest.raises(InvariantError, match="programIds") as caught:
        check_deployment(plan, deployment)
    assert f"program 0x{programs[RISC0].hex()} of risc0: state (2, 2)" in str(caught.value)


def test_check__terms_pause_or_recipient_changed__noticed(plan, deployment, subscriptions, non_owner, owner):
    subscriptions.setTerms(1, 2, 3, 6, sender=owner)
    subscriptions.setIntakePaused(True, sender=owner)
    subscriptions.setFundsRecipient(non_owner, sender=owner)
    with pytest.raises(InvariantError) as caught:
        check_deployment(plan, deployment)
    names = ("amountToPayInWei", "proofsPerPeriod", "intakePaused", "paymentFundsRecipient")
    assert [name for name in names if name not in str(caught.value)] == []


def test_check__guardians_function_given_to_everybody__noticed(
    plan, deployment, aggregation_service, access_manager, owner
):
    selector = aggregation_service.revokeRoots.encode_input([])[:4]
    access_manager.setTargetFunctionRole(aggregation_service, [selector], 2**64 - 1, sender=owner)
    with pytest.raises(InvariantError, match=f"getTargetFunctionRole = {2**64 - 1}, expected 1"):
        check_deployment(plan, deployment)


@pytest.mark.parametrize(
    ("contract", "function"),
    [
        ("aggregation_service", "allowProgram(uint8,bytes32,address)"),
        ("aggregation_service", "upgradeToAndCall(address,bytes)"),
        ("subscriptions", "grant(address[],uint256,uint256)"),
        ("registry", "setStakeSource(address)"),
    ],
)
def test_check__admins_function_given_to_the_guardian__noticed(
    plan, deployment, request, access_manager, owner, contract, function
):
    """A function that no role is named for must stay the admin's: whoever may call one of these owns the contract."""
    target = request.getfixturevalue(contract)
    check_deployment(plan, deployment)
    selector = keccak(text=function)[:4]
    access_manager.setTargetFunctionRole(target, [selector], GUARDIAN_ROLE, sender=owner)
    with pytest.raises(InvariantError, match=r"getTargetFunctionRole = 1, expected 0"):
        check_deployment(plan, deployment)


def test_program_ids__file_not_there_or_not_complete__refused(tmp_path):
    entry = {"program_id": "0x" + "12" * 32}
    complete = {name: {"user_proofs": entry, "chunk": entry} for name in ("sp1", "risc0")}
    path = tmp_path / "program_ids.json"
    path.write_text(json.dumps(complete))
    assert load_program_ids(path)[RISC0].chunk == b"\x12" * 32
    zero = {"program_id": "0x" + "00" * 32}
    for wrong in (
        {},
        {"sp1": complete["sp1"]},
        complete | {"risc0": {"user_proofs": entry, "chunk": zero}},
        [],
    ):
        path.write_text(json.dumps(wrong))
        with pytest.raises(InvariantError, match="unknown_program"):
            load_program_ids(path)
    with pytest.raises(InvariantError, match=r"zkvm/build\.sh writes it"):
        load_program_ids(tmp_path / "absent.json")
