"""All verifiers on real proofs: accepted as they are, refused with a code after any change."""

from __future__ import annotations

import os
import random
import re
import resource
import subprocess
import sys
import threading
import time
from dataclasses import replace

import aligned_native as native
import pytest

from tests.parity.native import ACCEPTED, Sample, circom, raw, sp1

REFUSALS = {
    "malformed_proof",
    "invalid_proof",
    "unsupported_version",
    "public_input_mismatch",
    "fake_receipt",
}
samples = pytest.mark.parametrize("name", ACCEPTED)
GIB = 1 << 30


def positions(proof: bytes) -> list[int]:
    """Ends, middle and some in between, the same in every run."""
    some = random.Random(len(proof)).sample(range(len(proof)), 20)
    return [0, 1, 4, 12, len(proof) // 2, len(proof) - 40, len(proof) - 2, len(proof) - 1, *some]


@samples
def test_verify__real_proof__is_accepted(name: str) -> None:
    verdict = ACCEPTED[name].verdict()
    assert (verdict.valid, verdict.code, verdict.reason) == (True, "ok", "")


@samples
def test_verify__flipped_byte__is_refused(name: str) -> None:
    sample = ACCEPTED[name]
    for position in positions(sample.proof):
        assert sample.flipped(position).code() in REFUSALS, position
        assert sample.flipped(position, 0x80).code() in REFUSALS, position


@samples
def test_verify__truncated__is_refused(name: str) -> None:
    sample = ACCEPTED[name]
    for length in (1, 3, 4, 8, 100, len(sample.proof) // 2, len(sample.proof) - 1):
        assert sample.code(proof=sample.proof[:length]) in ("malformed_proof", "invalid_proof"), length


@samples
def test_verify__empty_file__is_malformed(name: str) -> None:
    assert ACCEPTED[name].code(proof=b"") == "malformed_proof"


@samples
@pytest.mark.parametrize("tail", [b"\x00", b"\x01", b"x" * 100], ids=["zero", "one", "text"])
def test_verify__bytes_behind_the_end__are_refused(name: str, tail: bytes) -> None:
    sample = ACCEPTED[name]
    assert sample.code(proof=sample.proof + tail) in ("malformed_proof", "unsupported_version")


@samples
def test_verify__random_bytes__are_malformed(name: str) -> None:
    noise = random.Random(7)
    for length in (5, 356, 4000):
        assert ACCEPTED[name].code(proof=noise.randbytes(length)) == "malformed_proof"


@samples
def test_verify__announced_gibibyte__is_refused_without_allocating_it(name: str) -> None:
    """A length prefix of 1 GiB and of 2^64 − 1 at each place where one may be."""
    sample = ACCEPTED[name]
    for announced in (GIB, 2**64 - 1):
        for offset in (0, 4, 12):
            proof = sample.proof[:offset] + announced.to_bytes(8, "little") + sample.proof[offset + 8 :]
            before = peak_memory_bytes()
            assert sample.code(proof=proof) in REFUSALS
            assert peak_memory_bytes() - before < GIB // 4


def peak_memory_bytes() -> int:
    """Largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@samples
def test_verify__key_of_wrong_length_or_kind__is_malformed(name: str) -> None:
    sample = ACCEPTED[name]
    for key in (b"\x01", sample.key[:-1], sample.key + b"\x00"):
        assert sample.code(key=key) == "malformed_key"


@samples
def test_verify__no_key__is_missing(name: str) -> None:
    changed = replace(ACCEPTED[name], key=b"")
    assert changed.code() == "missing_key"
    assert "send" in changed.verdict().reason


@pytest.mark.parametrize("name", [name for name in ACCEPTED if not name.startswith("circom")])
def test_verify__program_file_as_key__is_refused_with_the_hint(name: str) -> None:
    changed = replace(ACCEPTED[name], key=b"\x7fELF\x02\x01\x01" + bytes(500))
    assert changed.code() == "key_is_elf"
    assert "instead" in changed.verdict().reason


def test_verify__another_thread__runs_meanwhile() -> None:
    """A verifier that held the GIL would keep the counting thread from its first step until all is done."""
    counted, stop = 0, threading.Event()

    def count() -> None:
        nonlocal counted
        while not stop.is_set():
            counted += 1
            time.sleep(0)

    sample = sp1("fib_a", "fib")
    old = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # no forced switch: the other thread runs only when the GIL is released
    thread = threading.Thread(target=count)
    try:
        thread.start()
        before = counted
        assert sample.code() == "ok"
        after = counted
    finally:
        stop.set()
        sys.setswitchinterval(old)
        thread.join()
    assert after - before > 10


def test_verify__many_threads__same_answers() -> None:
    cases = [(circom("a"), "ok"), (circom("a").flipped(60), "malformed_proof")] * 8
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda case=case: answers.append(case[0].code() == case[1])) for case in cases
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * len(cases)


def test_verdict__attributes__cannot_be_changed() -> None:
    verdict = Sample("circom", b"", b"", b"").verdict()
    with pytest.raises(AttributeError):
        verdict.valid = True  # type: ignore[misc]
    assert "missing_key" in repr(verdict)


def in_new_process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python code with a changed environment."""
    command = [sys.executable, "-I", "-c", code]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("value", ["1", "true", "TRUE", "yes", "on", "anything"])
def test_import__risc0_dev_mode_set__is_refused(value: str) -> None:
    done = in_new_process("import aligned_native", RISC0_DEV_MODE=value)
    assert done.returncode == 1
    assert "RISC0_DEV_MODE is set" in done.stderr


@pytest.mark.parametrize("value", ["", "0", "false", "no"])
def test_import__risc0_dev_mode_switched_off__works(value: str) -> None:
    assert in_new_process("import aligned_native", RISC0_DEV_MODE=value).returncode == 0


def test_verify_risc0__dev_mode_set_after_import__is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = ACCEPTED["risc0_fib3_20"]
    monkeypatch.setenv("RISC0_DEV_MODE", "1")
    assert sample.code() == "dev_mode_set"
    monkeypatch.delenv("RISC0_DEV_MODE")
    assert sample.code() == "ok"


def test_functions__str_instead_of_bytes__raise_type_error() -> None:
    with pytest.raises(TypeError):
        native.verify_sp1("text", None, None, None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        native.keccak256("text")  # type: ignore[arg-type]


def test_stub__names__are_those_of_the_module() -> None:
    stub = raw("../../zkvm/native/aligned_native.pyi").decode()
    public = {name for name in dir(native) if not name.startswith("_")} - {"aligned_native"}
    declared = set(re.findall(r"^(?:def|class) (\w+)", stub, re.MULTILINE))
    assert public == declared
