"""Circom's files against snarkjs: what is taken in another spelling has the verdict that snarkjs gives on it."""

from __future__ import annotations

import copy
import json
import random
import subprocess
from typing import Any

import aligned_native as native
import pytest

from aligned.core.errors import ProofError
from aligned.sdk.circom import normalise
from tests.parity.native import ROOT, circom
from tests.reference.groth16 import make
from tests.reference.spellings import SPELLINGS, Values, spelled

SNARKJS = ROOT / "node_modules" / "snarkjs"
pytestmark = pytest.mark.skipif(not SNARKJS.is_dir(), reason="node_modules/snarkjs is not installed")
# Verifies a list of {proof, public, key} from stdin; an exception is a refusal.
_SCRIPT = """
const snarkjs = require(process.argv[1]);
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
(async () => {
  const verdicts = [];
  for (const { key, public: inputs, proof } of cases)
    verdicts.push(await snarkjs.groth16.verify(key, inputs, proof).catch(() => false));
  console.log(JSON.stringify(verdicts));
  process.exit(0);
})();
"""
SAMPLE = circom("a")
VALUES: Values = {
    "proof": json.loads(SAMPLE.proof),
    "public": json.loads(SAMPLE.public_input or b""),
    "key": json.loads(SAMPLE.key),
}


def snarkjs(cases: list[Values]) -> list[bool]:
    """What snarkjs says about each."""
    command = ["node", "-e", _SCRIPT, str(SNARKJS)]
    done = subprocess.run(
        command, input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=300
    )
    verdicts: list[bool] = json.loads(done.stdout.splitlines()[-1])
    return verdicts


def ours(values: Values) -> bool:
    """What becomes of the files here: read as the client reads them, then verified."""
    proof, public, key = (json.dumps(values[name]).encode() for name in ("proof", "public", "key"))
    try:
        files = normalise(proof, public, key)
    except ProofError:
        return False
    return native.verify_circom_groth16(
        files.proof, files.public_input or b"", files.verification_key or b""
    ).valid


def with_false_input(values: Values) -> Values:
    """The same for another statement."""
    changed = copy.deepcopy(values)
    changed["public"][1] = str(int(changed["public"][1]) + 1)
    return changed


def test_normalise__each_spelling__has_the_verdict_of_snarkjs() -> None:
    true = [spelled(VALUES, [name]) for name in SPELLINGS]
    false = [spelled(with_false_input(VALUES), [name]) for name in SPELLINGS]
    verdicts = snarkjs(true + false)
    assert not any(verdicts[len(true) :])
    assert not any(ours(values) for values in false)
    # Some spellings are not snarkjs' own (JSON numbers lose digits in JavaScript): what it takes is taken.
    taken = [name for name, verdict in zip(SPELLINGS, verdicts, strict=False) if verdict]
    assert {"rapidsnark", "hex", "two coordinates", "curve BN254 and protocol groth", "no names"} <= set(
        taken
    )
    assert all(ours(values) for values in true)


def test_normalise__random_changes__nothing_that_snarkjs_denies_is_taken() -> None:
    chance = random.Random(20)
    cases = [_changed(chance) for _ in range(60)]
    for values, verdict in zip(cases, snarkjs(cases), strict=True):
        assert verdict or not ours(values), values


def _successor(text: str) -> str:
    return str(int(text, 16 if text[:2].lower() == "0x" else 10) + 1)


def _changed(chance: random.Random) -> Values:
    """One number of the three files is another one, or two points have changed places."""
    values = spelled(VALUES, [chance.choice(sorted(set(SPELLINGS) - {"numbers", "old name of alpha"}))])
    part = values[chance.choice(["proof", "key"])]
    lists: list[Any] = [
        part[name] for name in part if name.startswith(("pi_", "vk_")) and name != "vk_alphabeta_12"
    ]
    point = chance.choice([*lists, values["public"]])
    index = chance.randrange(min(2, len(point)))
    while isinstance(point[index], list):
        point, index = point[index], chance.randrange(2)
    point[index] = chance.choice(["0", "1", point[1 - index], _successor(str(point[index]))])
    return values


@pytest.mark.parametrize("count", [0, 3, 300])
def test_verify_circom__many_inputs__snarkjs_agrees(count: int) -> None:
    """The files of tests/reference/groth16.py are what they say they are."""
    files = make([index**3 for index in range(count)])
    values = {"proof": files.proof, "public": files.inputs, "key": files.key}
    assert snarkjs([values]) == [True]
    assert ours(values)
