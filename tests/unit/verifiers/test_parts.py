"""Framing, fair queue and registry."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.core.errors import ProofError
from aligned.core.sizes import MAX_SIZE_BYTES, max_size_bytes
from aligned.core.types import FIRST_EXTERNAL_SYSTEM, ProvingSystem, VerificationData
from aligned.verifiers.base import AggregatedProof, Verdict, check_size
from aligned.verifiers.fair_queue import FairQueue
from aligned.verifiers.framing import LENGTH, pack_proof, pack_verdict, unpack_proof, unpack_verdict
from aligned.verifiers.registry import get_verifier, supported_systems, verifier_of

blobs = st.none() | st.binary(max_size=60)
fields = (
    st.sampled_from([*ProvingSystem, ProvingSystem(99)]),
    st.binary(max_size=60),
    blobs,
    blobs,
    blobs,
    st.just(bytes(20)),
)
proofs = st.builds(VerificationData, *fields) | st.builds(AggregatedProof, *fields)


@given(proofs, st.sampled_from([None, Path("/spool/a"), Path("/sp\udcff ol/b")]))
def test_framing__proof__comes_back(data: VerificationData, proof_file: Path | None) -> None:
    frame = pack_proof(data, proof_file)
    assert LENGTH.unpack(frame[:8])[0] == len(frame) - 8
    assert unpack_proof(frame[8:]) == (data, proof_file)


printable = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=50)


@given(st.booleans(), printable, printable, st.floats(0, 100))
def test_framing__verdict__comes_back(valid: bool, code: str, reason: str, seconds: float) -> None:
    verdict = Verdict(valid, code, reason, seconds)
    assert unpack_verdict(pack_verdict(verdict)[8:]) == verdict


@given(st.text(max_size=50), st.text(max_size=50))
def test_framing__verdict_with_any_characters__is_printable(code: str, reason: str) -> None:
    verdict = unpack_verdict(pack_verdict(Verdict(False, code, reason))[8:])
    assert verdict.code.isprintable()
    assert verdict.reason.isprintable()


def test_framing__control_characters_in_a_reason__are_escaped() -> None:
    verdict = unpack_verdict(
        pack_verdict(Verdict(False, "x\0", "SP1 v9\0\n\x1b[2J\u202e, expected v6.1.0"))[8:]
    )
    assert (verdict.code, verdict.reason) == (r"x\x00", r"SP1 v9\x00\n\x1b[2J\u202e, expected v6.1.0")


@given(st.binary(max_size=80))
def test_framing__worker_writes_anything__value_error_or_verdict(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(unpack_verdict(data), Verdict)


def test_framing__deeply_nested_answer__value_error() -> None:
    with pytest.raises(ValueError, match="recursion"):
        unpack_verdict(b"[" * 60_000)


@pytest.mark.parametrize(
    "value",
    [
        [],
        [1, "ok", "", 0],
        [True, "ok", ""],
        {"valid": True},
        [True, 5, "", 0.0],
        [True, "ok", "", 10**400],
        [True, "ok", "", -1],
        [True, "ok", "", float("nan")],
        [True, "ok", "", float("inf")],
    ],
)
def test_framing__not_a_verdict__value_error(value: object) -> None:
    with pytest.raises(ValueError, match="verdict"):
        unpack_verdict(json.dumps(value).encode())


def test_framing__truncated_proof__error_not_a_hang() -> None:
    with pytest.raises((struct.error, ValueError)):
        unpack_proof(b"\x04\x01")


async def test_fair_queue__lanes__served_in_turn_each_in_order() -> None:
    queue: FairQueue[str] = FairQueue(10)
    for item in ("a1", "a2", "a3", "b1", "c1", "c2"):
        assert queue.put(item[0], item)
    assert [await queue.get() for _ in range(6)] == ["a1", "b1", "c1", "a2", "c2", "a3"]
    assert len(queue) == 0


async def test_fair_queue__full__put_fails_and_get_waits_when_empty() -> None:
    queue: FairQueue[int] = FairQueue(1)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert queue.put("x", 1)
    assert not queue.put("y", 2)
    assert await waiting == 1
    assert queue.put("y", 2)


def test_registry__reference_ids__supported_and_unsupported() -> None:
    assert supported_systems()[:3] == [3, 4, 5]
    assert get_verifier(3).name == "sp1"
    for system in (0, 1, 2, 250):
        with pytest.raises(ProofError) as caught:
            get_verifier(system)
        assert caught.value.code == "unsupported_system"


def test_check_size__larger_than_the_verifier_takes__refused() -> None:
    """All parts count, wherever the bytes are: the leaf's cost is that of all of them."""
    verifier = get_verifier(ProvingSystem.CIRCOM_GROTH16_BN256)
    most = VerificationData(ProvingSystem.CIRCOM_GROTH16_BN256, b"p", b"i" * 9, bytes(90), None, bytes(20))
    most = replace(most, proof=bytes(verifier.max_proof_bytes - 99))
    assert check_size(verifier, most) is None
    for part in ("proof", "pub_input", "verification_key", "vm_program_code"):
        larger = replace(most, **{part: (getattr(most, part) or b"") + b"x"})
        verdict = check_size(verifier, larger)
        assert verdict is not None
        assert verdict.code == "proof_too_large"
        assert str(verifier.max_proof_bytes) in verdict.reason


def test_sizes__every_verifier_of_ours__has_the_limit_of_the_table() -> None:
    ours = [system for system in supported_systems() if system < FIRST_EXTERNAL_SYSTEM]
    assert {ProvingSystem(system) for system in ours} == MAX_SIZE_BYTES.keys()
    for system in ours:
        assert get_verifier(system).max_proof_bytes == MAX_SIZE_BYTES[ProvingSystem(system)]
        assert max_size_bytes(ProvingSystem(system), 1 << 30) == MAX_SIZE_BYTES[ProvingSystem(system)]
        assert max_size_bytes(ProvingSystem(system), 1000) == 1000
    assert max_size_bytes(ProvingSystem(99), 77) == 77


def test_verifier_of__system_that_is_not_aggregated__is_refused() -> None:
    data = AggregatedProof(ProvingSystem.CIRCOM_GROTH16_BN256, b"", b"", None, None, bytes(20))
    with pytest.raises(ProofError, match="is not aggregated"):
        verifier_of(data)
