"""Measures the gas bill on a fresh anvil and writes bench/gas.json: `make bench-gas`.

All figures are whole transactions, except the inclusion checks, which are the inner, cold static call that a consumer
contract makes, and slope and intercept of the line through one and six blobs (gas_aggregation.py). They are exact and
repeat to the last digit: addresses, blocks, keys and messages are always the same.
"""

from __future__ import annotations

import json
from pathlib import Path

import aligned_native as native
from rich.console import Console
from rich.table import Table

from aligned.chain.abi import contract_abi
from aligned.core import bls
from aligned.core.merkle import verify_path

# Imported as a script (tools/ is on the path then) and by the snapshot test, which puts it there.
from gas_aggregation import measure_aggregation
from gas_chain import GasChain, gas_chain
from gas_subscriptions import measure_subscriptions

ROOT = Path(__file__).resolve().parents[1]
GAS_FILE = ROOT / "bench" / "gas.json"
POINTER = "https://batches.example/" + "ab" * 32 + ".batch.cbor.gz"  # 102 bytes
FEE_WEI = 10**16
FEE_PER_PROOF_WEI = 2 * 10**15
PAYERS = 100
DEPTH = 16
ABSENT = 3

# What the same step costs in the reference system (v0.10.0), where it was measured.
REFERENCE: dict[str, int] = {
    "create_new_task": 82_606,
    "respond_0": 259_808,
    "respond_per_non_signer": 17_500,
    "payment_100_payers": 1_235_197,
    "payment_one_payer_100": 284_857,
    "verify_batch_inclusion_16": 19_611,
    "verify_sp1_one_blob": 294_447,  # binds no blob
}
# Most that each may be. Base and blob of an aggregation are never paid alone; the bases miss theirs (bench/README.md).
BARS: dict[str, int] = {
    "create_new_task": 60_000,
    "respond_0": 195_000,
    "respond_per_non_signer": 7_000,
    "payment_100_payers": 700_000,
    "payment_one_payer_100": 200_000,
    "verify_batch_inclusion_16": 14_500,
    "subscribe": 55_000,
    "renew": 38_000,
    "verify_sp1_one_blob": 310_000,
    "verify_sp1_without_blob": 250_000,
    "verify_sp1_per_blob": 60_000,
    "verify_risc0_one_blob": 318_000,
    "verify_risc0_without_blob": 258_000,
    "verify_risc0_per_blob": 60_000,
    "verify_proof_inclusion_12": 13_000,
}
# What no implementation behind a proxy-free, single-slot design goes below: the EVM's own prices.
LIMIT: dict[str, int] = {
    "create_new_task": 52_000,
    "respond_0": 181_000,
    "respond_per_non_signer": 3_800,
    "payment_100_payers": 635_000,
    "payment_one_payer_100": 140_000,
    "verify_batch_inclusion_16": 8_000,
    "subscribe": 47_700,
    "renew": 30_600,
    "verify_sp1_one_blob": 298_000,
    "verify_sp1_without_blob": 246_000,
    "verify_sp1_per_blob": 52_500,
    "verify_risc0_one_blob": 304_000,
    "verify_risc0_without_blob": 252_000,
    "verify_risc0_per_blob": 52_500,
    "verify_proof_inclusion_12": 10_000,
}


def measure() -> dict[str, int]:
    """All figures, on a chain started for them."""
    with gas_chain() as chain:
        figures = _measure_tasks(chain)
        figures |= _measure_payments(chain)
        figures["verify_batch_inclusion_16"] = _measure_inclusion(chain)
        figures |= measure_subscriptions(chain)
        figures |= measure_aggregation(chain)
    return figures


def _create(chain: GasChain, sender: str, label: str) -> tuple[bytes, int, int]:
    """Opens a task with exactly its fee: (root, block, gas)."""
    block = chain.web3.eth.block_number + 1
    root = chain.typical_root(sender, label, block)
    return root, block, _post(chain, sender, root)


def _post(chain: GasChain, sender: str, root: bytes) -> int:
    service = chain.deployment.service_manager
    args = (root, POINTER, FEE_WEI)
    return chain.transact(
        sender, "AlignedLayerServiceManager", service, "createNewTask", *args, value=FEE_WEI
    )


def _measure_tasks(chain: GasChain) -> dict[str, int]:
    submitter, responder = chain.account(1), chain.account(2)
    root, block, _ = _create(chain, submitter, "first")
    chain.respond(
        responder, root, submitter, block, 0
    )  # the responder has been paid before, as in daily work
    root, block, create_gas = _create(chain, submitter, "full")
    full = chain.respond(responder, root, submitter, block, 0)
    root, block, _ = _create(chain, submitter, "partial")
    partial = chain.respond(responder, root, submitter, block, ABSENT)
    return {
        "create_new_task": create_gas,
        "respond_0": full,
        "respond_per_non_signer": -(-(partial - full) // ABSENT),
    }


def _measure_payments(chain: GasChain) -> dict[str, int]:
    payment = chain.deployment.payment_service
    payers = sorted("0x" + native.keccak256(f"payer {i}".encode())[:20].hex() for i in range(PAYERS))
    for payer in payers:
        chain.transact(chain.account(0), "BatcherPaymentService", payment, "deposit", payer, value=10**18)
    _charge(chain, payers, "introduction")  # after this batch everybody is a returning payer
    return {
        "payment_100_payers": _charge(chain, payers, "many payers"),
        "payment_one_payer_100": _charge(chain, [payers[0]] * PAYERS, "one payer"),
    }


def _charge(chain: GasChain, submitters: list[str], label: str) -> int:
    root = native.keccak256(label.encode())
    payment = chain.deployment.payment_service
    args = (root, POINTER, submitters, FEE_WEI, FEE_PER_PROOF_WEI, FEE_WEI)
    return chain.transact(chain.account(0), "BatcherPaymentService", payment, "createNewTask", *args)


def _measure_inclusion(chain: GasChain) -> int:
    """The view as another contract calls it, over a verified batch of depth 16."""
    submitter = chain.account(1)
    commitments = [native.keccak256(bytes([i])) for i in range(3)]
    leaf = native.keccak256(b"".join(commitments) + bytes(20))
    index, path, root = 0xA5C3, b"", b""
    block = chain.web3.eth.block_number + 1
    for attempt in range(1_000):
        path = b"".join(native.keccak256(f"sibling {attempt} {i}".encode()) for i in range(DEPTH))
        root = _fold(leaf, index, path)
        if len(bls.hash_witness(chain.digest(root, submitter, block)).skips) == 1:
            break
    assert verify_path(leaf, index, path, root)
    _post(chain, submitter, root)
    chain.respond(chain.account(2), root, submitter, block, 0)
    codec = contract_abi("AlignedLayerServiceManager").functions["verifyBatchInclusion"]
    call = codec.encode(*commitments, bytes(20), root, path, index, submitter)
    return chain.inner_gas(chain.deployment.service_manager, call)


def _fold(leaf: bytes, index: int, path: bytes) -> bytes:
    node = leaf
    for level in range(len(path) // 32):
        sibling = path[32 * level : 32 * level + 32]
        left, right = (sibling, node) if index >> level & 1 else (node, sibling)
        node = native.keccak256(left + right)
    return node


def print_table(figures: dict[str, int]) -> None:
    """Ours, the reference's and the limit."""
    table = Table("gas", "ours", "reference", "saved", "limit")
    for name, gas in figures.items():
        reference = REFERENCE.get(name)
        theirs = (f"{reference:,}", f"{1 - gas / reference:.0%}") if reference else ("", "")
        table.add_row(name, f"{gas:,}", *theirs, f"{LIMIT[name]:,}")
    Console().print(table)


def main() -> None:
    """Measures, prints and writes; figures of other measurements in the file stay."""
    figures = measure()
    print_table(figures)
    kept: dict[str, int] = json.loads(GAS_FILE.read_text()) if GAS_FILE.is_file() else {}
    GAS_FILE.parent.mkdir(exist_ok=True)
    GAS_FILE.write_text(json.dumps(kept | figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
