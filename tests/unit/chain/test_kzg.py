"""Sidecars and openings, against an evaluation and an RLP that are not ours."""

from __future__ import annotations

from dataclasses import replace

import ckzg
import pytest
import rlp
from aligned_native import keccak256
from eth_account import Account

from aligned.chain.blob_tx import network_form
from aligned.chain.fees import Fees
from aligned.chain.kzg import Sidecar, check_sidecar, commitment_of, open_blob, sidecar_of, trusted_setup
from aligned.chain.signing import sign
from aligned.core.blob import BLS_MODULUS, challenge, encode_blobs, versioned_hash
from aligned.core.errors import InvariantError

COMMITMENTS = [keccak256(bytes([number])) for number in range(5)]
ACCOUNT = Account.from_key("0x" + "11" * 32)
FIELDS = {
    "chainId": 31337,
    "nonce": 7,
    "to": b"\x22" * 20,
    "data": b"\x33" * 100,
    "value": 0,
    "gas": 250_000,
    "maxFeePerGas": 50,
    "maxPriorityFeePerGas": 2,
}


@pytest.fixture(scope="module")
def sidecar() -> Sidecar:
    one, two = encode_blobs(COMMITMENTS)[0], encode_blobs(COMMITMENTS[:2])[0]
    return sidecar_of((one, two))


def test_sidecar__two_blobs__hashes_and_cell_proofs_hold(sidecar: Sidecar) -> None:
    assert sidecar.versioned_hashes == tuple(versioned_hash(each) for each in sidecar.commitments)
    assert (len(sidecar.commitments), len(sidecar.cell_proofs)) == (2, 256)
    check_sidecar(sidecar, sidecar.versioned_hashes)
    check_sidecar(sidecar.first(), sidecar.versioned_hashes[:1])


def test_check_sidecar__anything_exchanged__is_refused(sidecar: Sidecar) -> None:
    hashes = sidecar.versioned_hashes
    proofs = sidecar.cell_proofs
    wrong = [
        (replace(sidecar, blobs=sidecar.blobs[::-1]), hashes),
        (replace(sidecar, commitments=sidecar.commitments[::-1]), hashes),
        (sidecar, hashes[::-1]),
        (sidecar, hashes[:1]),
        (replace(sidecar, cell_proofs=proofs[:-1]), hashes),
        (replace(sidecar, cell_proofs=(proofs[1], proofs[0], *proofs[2:])), hashes),
        (replace(sidecar, cell_proofs=proofs[128:] + proofs[:128]), hashes),
        (replace(sidecar, cell_proofs=(b"\x01" * 48, *proofs[1:])), hashes),
    ]
    for tampered, expected in wrong:
        with pytest.raises(InvariantError, match="invalid_sidecar"):
            check_sidecar(tampered, expected)


@pytest.mark.parametrize("blob", [b"", bytes(131_071), b"\xff" * 131_072])
def test_commitment__not_a_blob__is_refused(blob: bytes) -> None:
    with pytest.raises(InvariantError, match="invalid_sidecar"):
        commitment_of(blob)


@pytest.mark.parametrize("count", [0, 7])
def test_sidecar__no_blob_or_too_many__is_refused(count: int) -> None:
    with pytest.raises(InvariantError, match="invalid_sidecar"):
        sidecar_of((bytes(131_072),) * count)


def test_open_blob__at_the_challenge__proof_holds_and_no_other_value_does() -> None:
    blob = encode_blobs(COMMITMENTS)[0]
    commitment = commitment_of(blob)
    point = challenge(b"\x01" * 32, len(COMMITMENTS), versioned_hash(commitment))
    opening = open_blob(blob, point)
    z = point.to_bytes(32, "big")
    assert point < BLS_MODULUS
    assert ckzg.verify_kzg_proof(commitment, z, opening.y, opening.proof, trusted_setup())
    other = (int.from_bytes(opening.y, "big") ^ 1).to_bytes(32, "big")
    assert not ckzg.verify_kzg_proof(commitment, z, other, opening.proof, trusted_setup())


def test_sign__blobs__wrapper_of_eip_7594(sidecar: Sidecar) -> None:
    tx_hash, raw = sign(ACCOUNT, FIELDS, Fees(50, 2, 9), sidecar)
    body, version, blobs, commitments, proofs = rlp.decode(raw[1:])
    assert (raw[0], version) == (3, b"\x01")
    assert (tuple(blobs), tuple(commitments), tuple(proofs)) == (
        sidecar.blobs,
        sidecar.commitments,
        sidecar.cell_proofs,
    )
    assert tx_hash == keccak256(b"\x03" + rlp.encode(body))
    assert (int.from_bytes(body[9]), tuple(body[10])) == (9, sidecar.versioned_hashes)
    assert Account.recover_transaction(b"\x03" + rlp.encode(body)) == ACCOUNT.address


def test_sign__no_blobs__ordinary_transaction() -> None:
    _hash, raw = sign(ACCOUNT, FIELDS, Fees(50, 2), None)
    assert raw[0] == 2


def test_network_form__not_a_blob_transaction__is_refused(sidecar: Sidecar) -> None:
    with pytest.raises(InvariantError, match="not_a_blob_transaction"):
        network_form(b"\x02\xc0", sidecar)
