"""An unmodified client of the reference's v0.10 release: its frames byte for byte, and nothing it does not know."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from eth_account.signers.local import LocalAccount
from websockets.asyncio.client import ClientConnection, connect

from aligned.core.commitment import commit
from aligned.core.eip712 import submission_digest
from aligned.core.merkle import verify_path
from aligned.core.signing import sign_digest
from aligned.core.types import VerificationData
from aligned.devnet.cluster import Cluster
from aligned.sdk import AlignedClient
from aligned.sdk.models import ProofVerificationData
from tests.e2e.conftest import WAIT_S, named_proof

pytestmark = pytest.mark.asyncio(loop_scope="session")


def ints(data: bytes | None) -> list[int] | None:
    """That release writes blobs as arrays of integers, and null for an absent one."""
    return None if data is None else list(data)


def message(
    data: VerificationData, nonce: int, fee_wei: int, cluster: Cluster, account: LocalAccount
) -> bytes:
    network = cluster.network
    digest = submission_digest(
        commit(data).leaf, nonce, fee_wei, network.chain_id, network.payment_service_bytes
    )
    signature = sign_digest(bytes(account.key), digest)
    verification_data = {
        "proving_system": data.proving_system.wire_name,
        "proof": ints(data.proof),
        "pub_input": ints(data.pub_input),
        "verification_key": ints(data.verification_key),
        "vm_program_code": ints(data.vm_program_code),
        "proof_generator_addr": "0x" + data.proof_generator_addr.hex(),
    }
    nonced = {
        "verification_data": verification_data,
        "nonce": hex(nonce),
        "max_fee": hex(fee_wei),
        "chain_id": hex(network.chain_id),
        "payment_service_addr": network.payment_service.lower(),
    }
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    return cbor2.dumps(
        {"verification_data": nonced, "signature": {"r": hex(r), "s": hex(s), "v": signature[64]}}
    )


async def ask(socket: ClientConnection, frame: bytes) -> Any:
    await socket.send(frame)
    return cbor2.loads(await socket.recv(decode=False))


async def test_reference_client__three_proofs__valid_each_then_inclusion_in_nonce_order(
    cluster: Cluster, client: AlignedClient, account: LocalAccount
) -> None:
    proofs = [
        named_proof(name, account)
        for name in (
            "risc0/fib3_20_composite.proof",
            "risc0/groth16_v3.proof",
            "risc0/fib3_30_composite.proof",
        )
    ]
    fee_wei = await client.estimate_fee()
    async with connect(cluster.network.batcher_url, max_size=1 << 20, compression=None) as socket:
        assert cbor2.loads(await socket.recv(decode=False)) == {"ProtocolVersion": 4}
        for nonce, data in enumerate(proofs):
            assert await ask(socket, message(data, nonce, fee_wei, cluster, account)) == "Valid"
        frames = [cbor2.loads(await socket.recv(decode=False)) for _ in proofs]
    for data, frame in zip(proofs, frames, strict=True):
        await check_inclusion(cluster, client, data, frame)


async def check_inclusion(
    cluster: Cluster, client: AlignedClient, data: VerificationData, frame: Any
) -> None:
    """What that client does: the root from its own leaf and the path, then the 8-argument call."""
    assert set(frame) == {"BatchInclusionData"}
    body = frame["BatchInclusionData"]
    assert set(body) == {"batch_merkle_root", "batch_inclusion_proof", "index_in_batch"}
    root, path = (
        bytes(body["batch_merkle_root"]),
        b"".join(map(bytes, body["batch_inclusion_proof"]["merkle_path"])),
    )
    parts = commit(data)
    assert verify_path(parts.leaf, body["index_in_batch"], path, root)
    sender = cluster.network.payment_service_bytes
    await client.wait_for_batch(root, sender, timeout_s=WAIT_S)
    arguments = ProofVerificationData(
        parts.proof, parts.pub_input, parts.aux, parts.generator, root, path, body["index_in_batch"], sender
    )
    assert await client.verify_onchain(arguments)


async def test_reference_client__bad_messages__answered_with_the_texts_it_knows(
    cluster: Cluster, client: AlignedClient, account: LocalAccount
) -> None:
    data = named_proof("risc0/groth16_v3.proof", account)
    other = named_proof("risc0/fib3_20_composite.proof", account)
    fee_wei = await client.estimate_fee()
    mixed = VerificationData(
        proving_system=data.proving_system,
        proof=data.proof,
        pub_input=other.pub_input,
        verification_key=None,
        vm_program_code=data.vm_program_code,
        proof_generator_addr=data.proof_generator_addr,
    )
    async with connect(cluster.network.batcher_url, max_size=1 << 20, compression=None) as socket:
        await socket.recv()
        assert await ask(socket, message(mixed, 0, fee_wei, cluster, account)) == {
            "InvalidProof": "RejectedProof"
        }
        assert await ask(socket, message(data, 7, fee_wei, cluster, account)) == "InvalidNonce"
        assert await ask(socket, message(data, 0, 1, cluster, account)) == "InvalidMaxFee"
        assert await ask(socket, message(data, 0, fee_wei, cluster, account)) == "Valid"
