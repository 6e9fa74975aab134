"""Submissions of aggregation mode: what is signed, what is sent again, and gateways that answer something else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from aligned_native import keccak256
from eth_account import Account

from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import AlignedError, ConflictError, PaymentError, ProofError, ProtocolError
from aligned.core.signing import recover_address
from aligned.sdk.aggregation_submission import ProofFiles, SignedSubmission
from aligned.sdk.aggregation_submitter import AggregationSubmitter
from aligned.sdk.gateway_http import GatewayHttp
from aligned.sdk.network import DEVNET_AGGREGATION
from aligned.wire.gateway import FILE_PARTS, TEXT_PARTS
from tests.unit.sdk.aggregations import receipt_fields

SIGNER = Account.from_key(b"\x07" * 32)
ADDRESS = bytes.fromhex(SIGNER.address[2:])
FILES = ProofFiles(AggregationSystem.RISC0, b"proof", b"\x05" * 32, b"journal")
SERVICE = bytes(range(20))
SP1_FOLDER = Path(__file__).parents[2] / "vectors" / "sp1"
Handler = Callable[[httpx.Request], httpx.Response]


def test_sign__every_part__changes_who_signed() -> None:
    signed = SignedSubmission.sign(FILES, 3, 99, SIGNER, chain_id=31337, payment_service=SERVICE)
    r, s, v = (
        int.from_bytes(part)
        for part in (signed.signature[:32], signed.signature[32:64], signed.signature[64:])
    )
    assert recover_address(FILES.digest(3, 99, 31337, SERVICE), r, s, v) == ADDRESS == signed.address
    others = [
        *(
            replace(FILES, **{name: b"\x06" * 32}).digest(3, 99, 31337, SERVICE)
            for name in ("proof", "key", "public_inputs")
        ),
        replace(FILES, system=AggregationSystem.SP1).digest(3, 99, 31337, SERVICE),
        FILES.digest(4, 99, 31337, SERVICE),
        FILES.digest(3, 98, 31337, SERVICE),
        FILES.digest(3, 99, 1, SERVICE),
        FILES.digest(3, 99, 31337, bytes(20)),
    ]
    assert ADDRESS not in [recover_address(digest, r, s, v) for digest in others]


def test_form__as_it_is_sent__has_the_signed_hashes_and_all_texts_before_the_files() -> None:
    signed = SignedSubmission.sign(FILES, 3, 99, SIGNER, chain_id=31337, payment_service=SERVICE)
    body = httpx.Request("POST", "http://gateway", **signed.form()).read()
    names = [name.decode() for name in re.findall(rb'form-data; name="(\w+)"', body)]
    assert set(names[: len(TEXT_PARTS)]) == set(TEXT_PARTS)
    assert set(names[len(TEXT_PARTS) :]) == set(FILE_PARTS)
    hashes = {
        f"{name}_hash": keccak256(data)
        for name, data in {
            "proof": FILES.proof,
            "key": FILES.key,
            "public_input": FILES.public_inputs,
        }.items()
    }
    sent = {name: text for name, text in signed.form()["data"].items() if name.endswith("_hash")}
    assert sent == {name: "0x" + value.hex() for name, value in hashes.items()}


def test_program_id__sp1_key__is_the_bytes32_form_that_the_chain_knows() -> None:
    meta = json.loads((SP1_FOLDER / "meta.json").read_text())
    key = (SP1_FOLDER / meta["fib"]["vk"]).read_bytes()
    assert "0x" + ProofFiles(AggregationSystem.SP1, b"", key, b"").program_id.hex() == meta["fib"]["bytes32"]


@pytest.mark.parametrize(
    ("system", "key"),
    [
        (AggregationSystem.SP1, bytes(32)),
        (AggregationSystem.RISC0, bytes(104)),
        (AggregationSystem.RISC0, b""),
    ],
)
def test_program_id__key_of_another_length__malformed_key(system: AggregationSystem, key: bytes) -> None:
    with pytest.raises(ProofError, match="malformed_key"):
        _ = ProofFiles(system, b"proof", key, b"").leaf


@pytest.mark.parametrize(
    ("system", "key", "words"),
    [
        (AggregationSystem.SP1, bytes(32), ("32 bytes", "bincode::serialize(&vk)")),
        (AggregationSystem.SP1, b"0x" + b"ab" * 32, ("hexadecimal text", "104 bytes")),
        (AggregationSystem.RISC0, b"PK\x03\x04" + bytes(40), ("zip archive", "image id")),
        (AggregationSystem.RISC0, b"ab" * 32, ("hexadecimal text", "32 bytes")),
        (AggregationSystem.SP1, b"\x7fELF" + bytes(100), ("program itself", "bincode::serialize(&vk)")),
    ],
)
def test_program_id__what_is_no_key__is_named_with_what_is_wanted(
    system: AggregationSystem, key: bytes, words: tuple[str, ...]
) -> None:
    with pytest.raises(ProofError) as refusal:
        _ = ProofFiles(system, b"proof", key, b"").leaf
    assert all(word in refusal.value.message for word in words), refusal.value.message


def receipt(**changes: Any) -> dict[str, Any]:
    own = {
        "system": "risc0",
        "program_id": "0x" + FILES.program_id.hex(),
        "commitment": "0x" + FILES.commitment.hex(),
        "leaf": "0x" + FILES.leaf.hex(),
        "proof_hash": "0x" + keccak256(FILES.proof).hex(),
        "state": "pending",
        "aggregation": None,
    }
    return receipt_fields() | own | changes


class Gateway:
    """Answers submissions from a list, the last one for ever; keeps what it was sent."""

    def __init__(self, *answers: httpx.Response | Exception, nonces: tuple[int, ...] = (0,)) -> None:
        self._answers = list(answers)
        self._nonces = list(nonces)
        self.sent: list[bytes] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            nonce = self._nonces.pop(0) if len(self._nonces) > 1 else self._nonces[0]
            return httpx.Response(200, json={"address": "0x" + ADDRESS.hex(), "nonce": nonce})
        boundary = request.headers["content-type"].partition("boundary=")[2].encode()
        self.sent.append(request.read().replace(boundary, b""))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def submit(self, nonce: int | None = None, timeout_s: float = 10) -> Any:
        http = GatewayHttp("http://gateway", httpx.MockTransport(self))
        return await AggregationSubmitter(DEVNET_AGGREGATION, SIGNER, http).submit(
            FILES, nonce, 2**40, timeout_s
        )


def problem(status: int, code: str, **more: Any) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": "because"} | more)


async def test_submit__form__texts_before_files_and_all_of_them() -> None:
    gateway = Gateway(httpx.Response(201, json=receipt()))
    assert (await gateway.submit(7)).leaf == FILES.leaf
    (sent,) = gateway.sent
    places = [sent.index(f'name="{name}"'.encode()) for name in ("system", "nonce", "deadline", "signature")]
    assert max(places) < min(
        sent.index(f'name="{name}"'.encode()) for name in ("proof", "key", "public_inputs")
    )
    assert b"\r\n7\r\n" in sent


async def test_submit__connection_lost_or_busy__the_very_same_submission_again() -> None:
    busy = httpx.Response(429, json={"code": "rate_limited"}, headers={"Retry-After": "1"})
    gateway = Gateway(
        httpx.ReadError("lost"), busy, problem(503, "gateway_busy"), httpx.Response(200, json=receipt())
    )
    assert (await gateway.submit()).state == "pending"
    assert len(gateway.sent) == 4
    assert len(set(gateway.sent)) == 1


async def test_submit__nonce_taken_by_another_program__asks_and_signs_again() -> None:
    gateway = Gateway(
        problem(409, "nonce_used", expected=5), httpx.Response(201, json=receipt()), nonces=(4, 5)
    )
    await gateway.submit()
    assert [b"\r\n4\r\n" in gateway.sent[0], b"\r\n5\r\n" in gateway.sent[1]] == [True, True]


async def test_submit__nonce_of_the_callers_choice__is_not_changed() -> None:
    gateway = Gateway(problem(409, "nonce_used", expected=5))
    with pytest.raises(ConflictError, match="nonce_used") as caught:
        await gateway.submit(4)
    assert caught.value.context["expected"] == 5
    assert len(gateway.sent) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "bad_signature", ProtocolError),
        (402, "quota_exhausted", PaymentError),
        (413, "body_too_large", ProtocolError),
        (422, "invalid_proof", ProofError),
    ],
)
async def test_submit__refused__the_gateways_code_and_no_second_try(
    status: int, code: str, kind: type[AlignedError]
) -> None:
    gateway = Gateway(problem(status, code))
    with pytest.raises(kind, match=code):
        await gateway.submit()
    assert len(gateway.sent) == 1


@pytest.mark.parametrize("name", ["commitment", "leaf", "proof_hash"])
async def test_submit__receipt_of_another_proof__refused(name: str) -> None:
    with pytest.raises(ProtocolError, match="another proof"):
        await Gateway(httpx.Response(201, json=receipt(**{name: "0x" + "11" * 32}))).submit()


@pytest.mark.parametrize("body", [b"[" * 200_000, b"5", b"{}", b'{"code": ["x"], "detail": {}}', b"\xff"])
@pytest.mark.parametrize("status", [201, 400, 402, 409, 422])
async def test_submit__hostile_answer__an_aligned_error(body: bytes, status: int) -> None:
    with pytest.raises(AlignedError):
        await Gateway(httpx.Response(status, content=body)).submit(timeout_s=0.3)
