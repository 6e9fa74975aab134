"""What bench_gateway.py measures: gateways over an embedded PostgreSQL, rows, real submissions, raw clients."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from aligned_native import keccak256

from aligned.chain.deployment import Deployment
from aligned.core.aggregation import AggregationSystem
from aligned.core.eip712 import proof_submission_digest
from aligned.core.signing import address_of, sign_digest
from aligned.devnet.process import free_port
from aligned.storage.embedded import EmbeddedPostgres
from aligned.storage.postgres import Connection, Database, migrate

VECTORS = Path(__file__).resolve().parents[1] / "tests" / "vectors"
CHAIN_ID = 31337
PAYMENT_SERVICE = bytes.fromhex("5f" * 20)
SEEDED_ADDRESS = "'\\x' || lpad(to_hex({number}), 40, '0')"
_START_TIMEOUT_S = 60.0
_BOUNDARY = b"bench-7d1f0c5a9b3e"
_HASHED = ("proof", "key", "public_input")
_UNLIMITED = 1_000_000


@dataclass(frozen=True, slots=True)
class Bed:
    """Running processes.

    Attributes:
        processes: those whose CPU time is the price of a submission, clients not included.
    """

    ports: tuple[int, ...]
    database_url: str
    processes: tuple[int, ...]

    def cpu_seconds(self) -> float:
        """CPU time so far of all processes and their children, alive or reaped."""
        return sum(map(_cpu_seconds, self.processes))


def _cpu_seconds(pid: int) -> float:
    process = psutil.Process(pid)
    own = process.cpu_times()
    children = sum(_cpu_seconds(child.pid) for child in process.children())
    return float(own.user + own.system + own.children_user + own.children_system + children)


@contextmanager
def running_bed(folder: Path, gateways: int) -> Iterator[Bed]:
    """PostgreSQL (durable) and gateways."""
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedPostgres(folder / "pg"))
        url = server.url("bench")
        asyncio.run(_migrate(url))
        running = [stack.enter_context(_gateway(folder, url, number)) for number in range(gateways)]
        postgres = psutil.Process(os.getpid()).children()
        pids = tuple(child.pid for child in postgres)  # the watchdog's shell, and the gateways
        yield Bed(tuple(running), url, pids)


async def _migrate(url: str) -> None:
    async with Database(url) as db:
        await migrate(db, "aggregation")


@contextmanager
def _gateway(folder: Path, database_url: str, number: int) -> Iterator[int]:
    port = free_port()
    settings = folder / f"gateway-{number}.json"
    settings.write_text(json.dumps(_settings(folder, database_url, port)))
    code = (
        "import asyncio, sys; from pathlib import Path; from aligned.settings import Settings;"
        "from aligned.gateway.service import run;"
        "asyncio.run(run(Settings.model_validate_json(Path(sys.argv[1]).read_bytes()), asyncio.Event()))"
    )
    with (folder / f"gateway-{number}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", code, str(settings)], stdout=log, stderr=log)
    try:
        _await_ready(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _settings(folder: Path, database_url: str, port: int) -> dict[str, Any]:
    contract = "0x" + "11" * 20
    names = ("service_manager", "payment_service", "operator_registry", "stake_source", "access_manager")
    deployment = Deployment.model_validate(
        dict.fromkeys(names, contract)
        | {
            "chain_id": CHAIN_ID,
            "aggregation_payment_service": "0x" + PAYMENT_SERVICE.hex(),
            "aggregation_service": contract,
            "deployed_block": 0,
        }
    )
    deployment.save(folder / "deployment.json")
    unlimited = dict.fromkeys(
        ("uploads_per_s", "upload_burst", "reads_per_s", "read_burst", "max_uploads_per_ip"), _UNLIMITED
    )
    return {
        "chain": {"rpc_urls": ["http://127.0.0.1:1"], "deployment_file": str(folder / "deployment.json")},
        "database": {"url": database_url},
        "store": {"url": str(folder / "store")},
        "gateway": unlimited | {"port": port, "spool_dir": str(folder / "spool")},
    }


def _await_ready(port: int) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            if exchange(port, b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 200"):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"no gateway on port {port}")


def exchange(port: int, request: bytes, body: bytes = b"") -> bytes:
    """The whole answer to a request, on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        if body:
            connection.sendall(body)
        parts = []
        while part := connection.recv(65_536):
            parts.append(part)
        return b"".join(parts)


def sample() -> tuple[bytes, bytes, bytes]:
    """A real SP1 proof, its key and its public values."""
    meta = json.loads((VECTORS / "sp1/meta.json").read_text())["proofs"]["fib_a.compressed.proof"]
    values = bytes.fromhex(meta["public_values"][2:])
    proof = (VECTORS / "sp1/fib_a.compressed.proof").read_bytes()
    return proof, (VECTORS / "sp1/fib.vk").read_bytes(), values


def uploads(first: int, count: int) -> list[tuple[bytes, bytes]]:
    """Head and body of so many submissions of the sample, each by an account of its own."""
    files = sample()
    hashes = tuple(map(keccak256, files))
    return [_upload(secret, files, hashes) for secret in _secrets(first, count)]


def _secrets(first: int, count: int) -> Iterator[bytes]:
    return (number.to_bytes(32, "big") for number in range(first, first + count))


def _upload(secret: bytes, files: Sequence[bytes], hashes: Sequence[bytes]) -> tuple[bytes, bytes]:
    deadline_s = int(time.time()) + 3_600
    digest = proof_submission_digest(
        AggregationSystem.SP1, hashes[0], hashes[1], hashes[2], 0, deadline_s, CHAIN_ID, PAYMENT_SERVICE
    )
    texts = {
        "system": "sp1",
        "nonce": "0",
        "deadline": str(deadline_s),
        "signature": "0x" + sign_digest(secret, digest).hex(),
        **{f"{name}_hash": "0x" + each.hex() for name, each in zip(_HASHED, hashes, strict=True)},
        "address": "0x" + address_of(secret).hex(),
    }
    parts = [(name, text.encode(), b"") for name, text in texts.items()]
    parts += [
        (name, data, b'; filename="x"')
        for name, data in zip(("proof", "key", "public_inputs"), files, strict=True)
    ]
    body = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
        % (_BOUNDARY, name.encode(), extra, data)
        for name, data, extra in parts
    )
    body += b"--" + _BOUNDARY + b"--\r\n"
    head = (
        b"POST /v1/proofs HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=%b\r\n"
        % _BOUNDARY
    )
    return head + b"Content-Length: %d\r\n\r\n" % len(body), body


async def pay_for(database_url: str, first: int, count: int) -> None:
    """One payment for each account of `uploads(first, count)`."""
    addresses = [address_of(secret) for secret in _secrets(first, count)]
    async with Database(database_url) as db, db.transaction() as conn:
        await _pay(conn, "SELECT unnest(%s::bytea[]) AS address, 1 AS proofs", (addresses,))


async def seed(database_url: str, accounts: int, proofs: int) -> list[str]:
    """Accounts with a payment each, and final proofs of an aggregation, spread over them; the ids of the proofs."""
    address = SEEDED_ADDRESS.format(number="number")
    async with Database(database_url) as db, db.transaction() as conn:
        await conn.execute("SET LOCAL statement_timeout = 0")
        await _pay(
            conn,
            f"SELECT ({address})::bytea AS address, 1000 AS proofs FROM generate_series(1, %s) AS number",
            (accounts,),
        )
        await conn.execute(_SEED_PROOFS, (accounts, accounts, proofs))
        await conn.execute("UPDATE proofs SET state = 'pending'")
        found = await conn.execute("SELECT id FROM proofs")
        ids = [str(row["id"]) for row in await found.fetchall()]
    async with Database(database_url) as db, db.pool().connection() as conn:
        await conn.set_autocommit(True)
        await conn.execute("VACUUM ANALYZE")
    return ids


_SEED_PROOFS = """
INSERT INTO proofs (source, address, nonce, quota_id, system, program_id, commitment, leaf, proof_hash, key_hash,
                    public_input_hash, proof_object, program_key, public_inputs, size_bytes, signature, deadline_s)
SELECT 'gateway', q.address, number / %s, q.id, 1, h, h, h, h, h, h, 'none', h, h, 1272581, h || h || '\\x1b', 0
FROM generate_series(0, %s * 0 + %s - 1) AS number
JOIN (SELECT *, row_number() OVER (ORDER BY id) AS position FROM quotas) q
     ON q.position = number %% (SELECT count(*) FROM quotas) + 1,
LATERAL (SELECT sha256(int8send(number::bigint)) AS h) hashes
"""


async def _pay(conn: Connection, accounts: str, values: Sequence[object]) -> None:
    """A payment and its quota for every row (address, proofs) of a query."""
    await conn.execute("CREATE TEMP TABLE paying ON COMMIT DROP AS " + accounts, values)
    await conn.execute(
        """
        WITH made AS (
            INSERT INTO payments (tx_hash, event_index, log_index, kind, address, payer, amount_wei, block_number,
                                  block_hash)
            SELECT sha256(address), 0, 0, 'payment', address, address, 1, 1, sha256(address) FROM paying
            RETURNING id, address
        )
        INSERT INTO quotas (payment_id, address, proofs, valid_from_s, valid_until_s)
        SELECT made.id, address, proofs, 0, 4000000000 FROM made JOIN paying USING (address)
        """
    )
