"""A signature is good for one task on one contract on one chain, once."""

from __future__ import annotations

import bls_helper as bls
from eth_utils import keccak
from quorum_helper import FEE_WEI, POINTER, batch_id
from reverting import revert_of

from aligned.devnet.deploy import deploy

OTHER_ROOT = b"\x22" * 32


def test_replay__other_chain__refused(service_manager, members, answer, task, user, refusal):
    """The digest of the same task on another chain id, signed by everybody."""
    block = service_manager.batchesState(batch_id(task, user.address))[0]
    elsewhere = _task_digest(batch_id(task, user.address), block, 1, service_manager.address)
    here = _task_digest(batch_id(task, user.address), block, 31337, service_manager.address)
    assert here == bytes(service_manager.taskDigest(batch_id(task, user.address), block))
    everybody = bls.combined([m.key for m in members])
    replayed = answer.but(signature=everybody.sign(elsewhere), witness=bls.witness(elsewhere))
    assert refusal(replayed) == "InvalidSignature()"


def test_replay__other_contract__refused(
    service_manager, members, answer, task, user, refusal, sender, params, artifacts, project
):
    twin = project.AlignedLayerServiceManager.at(deploy(sender, params, artifacts).service_manager)
    identifier = batch_id(task, user.address)
    digest = bytes(twin.taskDigest(identifier, service_manager.batchesState(identifier)[0]))
    everybody = bls.combined([m.key for m in members])
    replayed = answer.but(signature=everybody.sign(digest), witness=bls.witness(digest))
    assert refusal(replayed) == "InvalidSignature()"


def test_replay__other_task__refused(service_manager, answer, user, responder, non_owner, task, chain):
    """Another root, and the same root by another sender."""
    service_manager.createNewTask(OTHER_ROOT, POINTER, FEE_WEI, value=FEE_WEI, sender=user)
    service_manager.createNewTask(task, POINTER, FEE_WEI, value=FEE_WEI, sender=non_owner)
    chain.mine(1)
    for root, who in ((OTHER_ROOT, user), (task, non_owner)):
        error = revert_of(service_manager.respondToTask, root, who, answer.abi(), sender=responder)
        assert error == "InvalidSignature()"


def test_replay__same_root_tried_again_after_expiry__refused(
    service_manager, params, answer, task, user, responder, chain
):
    chain.mine(params.service.response_window_blocks + 1)
    service_manager.reclaim(task, sender=user)
    service_manager.createNewTask(task, POINTER, FEE_WEI, value=FEE_WEI, sender=user)
    chain.mine(1)
    error = revert_of(service_manager.respondToTask, task, user, answer.abi(), sender=responder)
    assert error == "InvalidSignature()"


def test_replay__answered_twice__refused(service_manager, answer, task, user, responder, refusal):
    service_manager.respondToTask(task, user, answer.abi(), sender=responder)
    assert refusal(answer).startswith("BatchAlreadyResponded(")


def _task_digest(identifier: bytes, block: int, chain_id: int, contract: str) -> bytes:
    """EIP-712 written out again, apart from both implementations."""
    domain_type = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    task_type = b"BatchVerification(bytes32 batchIdentifierHash,uint32 taskCreatedBlock)"
    domain = keccak(
        keccak(domain_type)
        + keccak(b"AlignedLayerServiceManager")
        + keccak(b"1")
        + chain_id.to_bytes(32, "big")
        + bytes.fromhex(contract[2:]).rjust(32, b"\0")
    )
    return keccak(b"\x19\x01" + domain + keccak(keccak(task_type) + identifier + block.to_bytes(32, "big")))
