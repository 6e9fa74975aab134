"""A worker that does what its argument says: `fake_worker.py SCENARIO FOLDER`.

SCENARIO is what becomes of the first job of a folder; every later job is done as it should be.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aligned.core.aggregation import AggregationSystem, tree_of, user_proofs_output

Job = dict[str, Any]


def send(event: Job) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def shout(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
    time.sleep(600)


def leave_child(request: Job) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(sys.argv[2], "child.pid").write_text(str(child.pid))
    time.sleep(600)


def hoard(request: Job) -> None:
    memory = bytearray(600 << 20)
    memory[::4096] = b"x" * len(memory[::4096])
    time.sleep(600)


def lie(request: Job) -> None:
    store(request, user_proofs_output(bytes(32), 1))
    send({"id": request["id"], "event": "done"})


def fail(request: Job) -> None:
    index = 1 if sys.argv[1] == "bad_proof" else None
    send({"id": request["id"], "event": "failed", "code": sys.argv[1], "message": "no", "index": index})


SCENARIOS: dict[str, Callable[[Job], object]] = {
    "crash": lambda _: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda _: sys.exit(3),
    "hang": lambda _: time.sleep(600),
    "hang_with_child": leave_child,
    "hoard": hoard,
    "garbage": lambda _: shout("thread 'main' panicked\n"),
    "nested": lambda _: shout("[" * 100_000 + "\n"),
    "endless_line": lambda _: shout("x" * (4 << 20)),
    "other_job": lambda _: shout(json.dumps({"id": "another", "event": "done"}) + "\n"),
    "no_result": lambda request: send({"id": request["id"], "event": "done"}),
    "lie": lie,
    "bad_proof": fail,
    "unsupported": fail,
    "malformed": fail,
    "internal": fail,
}


def store(request: Job, public_values: bytes) -> None:
    out = Path(request["out"])
    out.mkdir(parents=True, exist_ok=True)
    (out / "public_values.bin").write_bytes(public_values)
    if request["level"] != "execute":
        (out / "proof.bin").write_bytes(b"proof")
    summary = {
        "system": "sp1",
        "level": request["level"],
        "program_id": "0x" + "11" * 32,
        "public_values": "0x" + public_values.hex(),
        "checked": ["all"],
        "not_checked": [],
        "cycles": 7,
        "seconds": 0.5,
        "peak_rss_bytes": 1,
        "pid": os.getpid(),
    }
    (out / "result.json").write_text(json.dumps(summary))


def behave(request: Job) -> None:
    send({"id": request["id"], "event": "progress", "step": "work", "seconds": 0.0})
    commitments = [Path(proof["public_inputs"]).read_bytes() for proof in request["proofs"]]
    root = tree_of(AggregationSystem.SP1, commitments).root
    store(request, user_proofs_output(root, len(commitments)))
    send({"id": request["id"], "event": "done"})


def main() -> None:
    scenario, once = sys.argv[1], Path(sys.argv[2], "misbehaved")
    if scenario == "silent":
        time.sleep(600)
    send({"event": "ready", "system": "sp1", "levels": ["execute"]})
    for line in sys.stdin:
        request = json.loads(line)
        if scenario != "good" and not once.exists():
            once.touch()
            SCENARIOS[scenario](request)
        else:
            behave(request)


main()
