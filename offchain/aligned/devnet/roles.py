"""The roles of a devnet: their command lines, settings and databases, and their processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aligned.core.errors import ProtocolError
from aligned.devnet import layout
from aligned.devnet.keys import AGGREGATOR, BATCHER, PROOF_AGGREGATOR, KeyFolder, RoleKeys
from aligned.devnet.layout import Shared
from aligned.devnet.ports import PORT_IN_USE, is_free
from aligned.devnet.process import ManagedProcess, free_port

# Far above what a start takes: a machine with other work does not fail it.
READY_TIMEOUT_S = 240.0
AGGREGATION_DATABASE = "aggregation"


@dataclass(frozen=True, slots=True)
class AggregationConfig:
    """How a devnet aggregates; small numbers, so that a few proofs are enough to see everything.

    Attributes:
        level: "native" runs the aggregating programs as plain code, "execute" in the zkVMs' executors.
        chunk_proofs: proofs that are proved together.
        min_proofs, max_age_s: an aggregation begins with so many proofs, or when one has waited so long.
        final_blocks: blocks after which a root counts as final.
        poll_s: pause between looks at the queue.
        aggregator: whether the proof aggregator runs as well; its settings are written either way.
    """

    level: str = "native"
    chunk_proofs: int = 2
    min_proofs: int = 4
    max_age_s: float = 10.0
    final_blocks: int = 2
    poll_s: float = 0.3
    aggregator: bool = True

    def fields(self) -> dict[str, object]:
        """Settings of the proof aggregator."""
        return {
            "sp1_level": self.level,
            "risc0_level": self.level,
            "chunk_proofs": self.chunk_proofs,
            "min_proofs": self.min_proofs,
            "max_age_s": self.max_age_s,
            "daily_at": "",
            "daily_budget_gwei": 0,
            "final_blocks": self.final_blocks,
            "poll_s": self.poll_s,
            "retry_s": 0.5,
            "lease_s": 10.0,
        }


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """A role to be started.

    Attributes:
        arguments: of the `aligned` command.
        database: name of its database; roles with the same name share it.
    """

    name: str
    arguments: tuple[str, ...]
    port: int
    database: str
    sections: layout.Sections


@dataclass(slots=True)
class Role:
    """A role's process and where it says that it is ready."""

    process: ManagedProcess
    port: int

    @classmethod
    def prepare(cls, spec: RoleSpec, shared: Shared, database_url: str) -> Role:
        """Writes its settings, so that another process can be started from them as they are."""
        path = shared.layout.settings(spec.name)
        database = {"url_file": str(shared.layout.database(spec.database, database_url))}
        layout.write_settings(path, {**spec.sections, "database": database})
        argv = [sys.executable, "-m", "aligned.cli.main", *spec.arguments, "--config", str(path)]
        return cls(ManagedProcess(spec.name, argv, shared.layout.log(spec.name)), spec.port)

    @property
    def url(self) -> str:
        """HTTP base URL."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Starts it and waits until it is ready.

        Raises:
            ProtocolError: port_in_use. DependencyError: it ended, or is not ready in time.
        """
        if not self.process.is_running() and not is_free(self.port):
            text = f"port {self.port} of {self.process.name} is in use by another program"
            raise ProtocolError(PORT_IN_USE, text)
        self.process.start()
        await self.process.wait_ready(f"{self.url}/readyz", READY_TIMEOUT_S)


def fast_mode_roles(
    shared: Shared, keys: KeyFolder, operators: Sequence[RoleKeys], batcher_port: int
) -> Iterator[RoleSpec]:
    """Batcher, aggregator and operators, each with a database of its own."""
    batcher, aggregator = batcher_port or free_port(), free_port()
    own = layout.batcher_sections(shared, keys.ecdsa("batcher", BATCHER), batcher)
    yield RoleSpec("batcher", ("batcher", "run"), batcher, "batcher", own)
    own = layout.aggregator_sections(shared, keys.ecdsa("aggregator", AGGREGATOR), aggregator)
    yield RoleSpec("aggregator", ("aggregator", "run"), aggregator, "aggregator", own)
    url = f"http://127.0.0.1:{aggregator}"
    for index, operator in enumerate(operators):
        port = free_port()
        own = layout.operator_sections(shared, operator, port, url)
        yield RoleSpec(f"operator-{index}", ("operator", "run"), port, f"operator_{index}", own)


def aggregation_roles(
    shared: Shared, keys: KeyFolder, config: AggregationConfig, gateway_port: int
) -> Iterator[RoleSpec]:
    """Payments poller, gateway and proof aggregator, over one database."""
    home = shared.layout.home / "aggregation"
    fields: dict[str, dict[str, object]] = {
        "poller": {"port": free_port()},
        "gateway": {
            "port": gateway_port or free_port(),
            "spool_dir": str(home / "spool"),
            "verifier_workers": 1,
            "submission_burst": 1_000,  # what must be refused comes from one account
        },
        "proof-aggregator": {"port": free_port(), "result_dir": str(home / "results")}
        | config.fields()
        | layout.key_fields(keys.ecdsa("proof-aggregator", PROOF_AGGREGATOR)),
    }
    for name, own in fields.items():
        sections = shared.sections() | {name.replace("-", "_"): own}
        port = own["port"]
        assert isinstance(port, int)
        yield RoleSpec(name, (name, "run"), port, AGGREGATION_DATABASE, sections)
