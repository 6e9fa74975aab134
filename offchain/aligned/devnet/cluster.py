"""Both products on one machine: chain, contracts, database, store, and every role as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from aligned.chain.client import ChainClient
from aligned.chain.contracts import AggregationService, ServiceManager
from aligned.chain.deployment import Deployment
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import DependencyError, InvariantError
from aligned.devnet.anvil import CHAIN_ID, Anvil, Cheats
from aligned.devnet.beacon import BeaconStandin
from aligned.devnet.failures import all_of
from aligned.devnet.keys import AGGREGATOR, BATCHER, DEPLOYER, PROOF_AGGREGATOR, KeyFolder, RoleKeys
from aligned.devnet.layout import Layout, Shared
from aligned.devnet.ports import PortWish, require_free
from aligned.devnet.process import to_its_end
from aligned.devnet.roles import (
    AggregationConfig,
    Role,
    aggregation_roles,
    fast_mode_roles,
)
from aligned.devnet.setup import deploy_contracts, fund_reference_user, quorum_warnings, register_operators
from aligned.devnet.watch import Child, PostgresChild, Watch
from aligned.sdk.accounts import devnet_account
from aligned.sdk.network import AggregationNetwork, NetworkConfig
from aligned.storage.embedded import EmbeddedPostgres
from aligned.storage.serve import FolderServer

_BLOCK_POLL_S = 0.1
# A node's first point evaluation makes it read the trusted setup, which takes long on a machine with other work.
_RPC_TIMEOUT_S = 120.0
_ACCOUNT_BALANCE_WEI = 1_000 * 10**18
_USERS = range(4, 10)

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """What kind of devnet.

    Attributes:
        home: folder for everything of this run; emptied at start.
        operators: how many are registered.
        switched_off: which of them do not run, by index.
        rpc_url: a development node that runs already; None starts an anvil.
        chain_id: of that node.
        rpc_port, batcher_port, gateway_port: 0 takes free ones.
        durable: keep the database safe against power loss (slower).
        aggregation: how aggregation mode runs; None leaves its roles out.
    """

    home: Path
    operators: int = 4
    switched_off: frozenset[int] = frozenset()
    rpc_url: str | None = None
    chain_id: int = CHAIN_ID
    rpc_port: int = 0
    batcher_port: int = 0
    gateway_port: int = 0
    block_time_s: int = 1
    durable: bool = False
    aggregation: AggregationConfig | None = field(default_factory=AggregationConfig)

    def port_wishes(self) -> Iterator[PortWish]:
        """The ports that are looked at before anything is started."""
        yield PortWish(self.rpc_port, "the chain", "--rpc-port")
        yield PortWish(self.batcher_port, "the batcher", "--batcher-port")
        yield PortWish(self.gateway_port, "the gateway", "--gateway-port")


@dataclass(slots=True)
class _Parts:
    """What `stop` has to end, in the order in which it was started."""

    home: IO[bytes] | None = None
    anvil: Anvil | None = None
    postgres: EmbeddedPostgres | None = None
    store: FolderServer | None = None
    beacon: BeaconStandin | None = None
    roles: dict[str, Role] = field(default_factory=dict)
    chain: ChainClient | None = None


class Cluster:
    """A running devnet. Use it as an async context manager: whatever happens, all its processes end.

    Args:
        progress: called with one line per step.

    Attributes:
        warnings: what makes this devnet less than people expect of one, for them.
    """

    network: NetworkConfig
    aggregation: AggregationNetwork
    deployment: Deployment

    def __init__(self, config: ClusterConfig, progress: Progress | None = None) -> None:
        self.config = config
        self.layout = Layout(config.home.absolute())
        self.warnings: list[str] = []
        self._say = progress or (lambda _line: None)
        self._parts = _Parts()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Brings everything up; ready for users when it returns.

        Raises:
            ProtocolError: port_in_use, home_in_use: nothing was started.
            DependencyError: a part did not become ready; its last log lines are in the message.
        """
        self._parts.home = self.layout.take()
        require_free(self.config.port_wishes())
        self.layout.empty()
        rpc_url = await self._start_chain()
        self._parts.chain = ChainClient([rpc_url], self.config.chain_id, timeout_s=_RPC_TIMEOUT_S)
        keys = KeyFolder(self.layout.home / "keys")
        operators = [keys.operator(index) for index in range(self.config.operators)]
        await self._prepare_chain(operators)
        shared = await self._start_services(rpc_url)
        await self._start_roles(shared, keys, operators)

    async def stop(self) -> None:
        """Ends all processes, roles first."""
        parts = self._parts
        for role in reversed(parts.roles.values()):
            await asyncio.to_thread(role.process.stop)
        if parts.chain is not None:
            await self._leave_chain(parts.chain)
        for server in (parts.beacon, parts.store):
            if server is not None:
                server.stop()
        if parts.postgres is not None:
            await asyncio.to_thread(parts.postgres.stop)
        if parts.anvil is not None:
            parts.anvil.process.stop()
        if parts.home is not None:
            parts.home.close()
        self._parts = _Parts()

    async def _leave_chain(self, chain: ChainClient) -> None:
        """A node that was there before makes blocks on demand again."""
        if self.config.rpc_url is not None:
            with contextlib.suppress(DependencyError):
                await Cheats(chain).mine_on_demand()
        await chain.close()

    @property
    def chain(self) -> ChainClient:
        """Client of the devnet's chain."""
        if self._parts.chain is None:
            raise InvariantError("cluster_not_started", "start the cluster first")
        return self._parts.chain

    @property
    def cheats(self) -> Cheats:
        """What only a development chain can do."""
        return Cheats(self.chain)

    @property
    def service_manager(self) -> ServiceManager:
        """The service manager on the devnet's chain."""
        return ServiceManager(self.chain, self.deployment.service_manager)

    async def wait_blocks(self, count: int) -> None:
        """Waits until the chain has `count` more blocks."""
        target = await self.chain.block_number() + count
        while await self.chain.block_number() < target:  # noqa: ASYNC110 a chain is polled
            await asyncio.sleep(_BLOCK_POLL_S)

    @property
    def store_url(self) -> str:
        """Where what is in `layout.store` can be downloaded."""
        assert self._parts.store is not None
        return self._parts.store.url

    def role(self, name: str) -> Role:
        """Role "batcher", "gateway" or "operator-0", also one that is switched off."""
        return self._parts.roles[name]

    async def programs(self) -> dict[AggregationSystem, bytes]:
        """The aggregating programs that the contract allows."""
        service = AggregationService(self.chain, self.deployment.aggregation_service)
        states = {each: await service.program(each) for each in await service.program_ids()}
        return {state.system: program for program, state in states.items() if state.system is not None}

    @property
    def pids(self) -> dict[str, int | None]:
        """Process ids of the roles, None for those that do not run."""
        return {name: role.process.pid for name, role in self._parts.roles.items()}

    async def _start_chain(self) -> str:
        if self.config.rpc_url is not None:
            return self.config.rpc_url
        self._say("starting anvil")
        # Blocks on demand while the contracts are deployed; blocks by the clock come afterwards.
        anvil = Anvil(self.layout.log("anvil"), port=self.config.rpc_port, chain_id=self.config.chain_id)
        self._parts.anvil = anvil
        await anvil.start()
        return anvil.url

    async def _prepare_chain(self, operators: list[RoleKeys]) -> None:
        numbers = (DEPLOYER, BATCHER, AGGREGATOR, PROOF_AGGREGATOR, *_USERS)
        addresses = [bytes.fromhex(devnet_account(number).address[2:]) for number in numbers]
        for address in [*addresses, *(keys.address for keys in operators)]:
            await self.cheats.set_balance(address, _ACCOUNT_BALANCE_WEI)
        self._say("deploying contracts")
        self.deployment = await deploy_contracts(self.chain, self._rpc_url)
        self.deployment.save(self.layout.deployment_file)
        self._say(f"registering {len(operators)} operators")
        await register_operators(self.chain, self.deployment, operators)
        await fund_reference_user(self.chain, self.deployment)
        running = len(operators) - len(self.config.switched_off)
        self.warnings = await quorum_warnings(self.service_manager, len(operators), running)
        await self.cheats.mine_every(self.config.block_time_s)

    @property
    def _rpc_url(self) -> str:
        return self.config.rpc_url or (self._parts.anvil.url if self._parts.anvil else "")

    async def _start_services(self, rpc_url: str) -> Shared:
        self._say("starting PostgreSQL and the object store")
        self._parts.postgres = EmbeddedPostgres(self.layout.home / "postgres", durable=self.config.durable)
        await to_its_end(self._parts.postgres.start)
        self.layout.store.mkdir()
        self._parts.store = FolderServer(self.layout.store)
        self._parts.store.start()
        return Shared(rpc_url, self.config.chain_id, self.layout, self._parts.store.url)

    async def _start_roles(self, shared: Shared, keys: KeyFolder, operators: list[RoleKeys]) -> None:
        self._say("starting batcher, operators and aggregator")
        specs = list(fast_mode_roles(shared, keys, operators, self.config.batcher_port))
        if self.config.aggregation is not None:
            self._say("starting payments poller, gateway and proof aggregator as well")
            specs += aggregation_roles(shared, keys, self.config.aggregation, self.config.gateway_port)
        for spec in specs:
            self._parts.roles[spec.name] = Role.prepare(spec, shared, self.database_url(spec.database))
        await all_of(*(self.role(name).start() for name in self._wanted_roles()))
        self.network = NetworkConfig(
            chain_id=self.config.chain_id,
            rpc_urls=(shared.rpc_url,),
            batcher_url=f"ws://127.0.0.1:{self.role('batcher').port}",
            service_manager=self.deployment.service_manager,
            payment_service=self.deployment.payment_service,
        )
        if self.config.aggregation is not None:
            self.aggregation = self._aggregation_network(shared.rpc_url)

    def _wanted_roles(self) -> list[str]:
        """The roles that shall run."""
        off = {f"operator-{index}" for index in self.config.switched_off}
        if self.config.aggregation is not None and not self.config.aggregation.aggregator:
            off.add("proof-aggregator")
        return [name for name in self._parts.roles if name not in off]

    def watch(self, say: Progress) -> Watch:
        """Looks after the processes of the running devnet.

        Args:
            say: called with a line when one has ended or is started again.
        """
        vital: dict[str, Child] = {"PostgreSQL": PostgresChild(self.layout.home / "postgres")}
        if self._parts.anvil is not None:
            vital["anvil"] = self._parts.anvil.process
        return Watch(vital, {name: self.role(name).process for name in self._wanted_roles()}, say)

    def _aggregation_network(self, rpc_url: str) -> AggregationNetwork:
        self._parts.beacon = BeaconStandin(rpc_url)
        self._parts.beacon.start()
        network = AggregationNetwork.of(self.deployment, rpc_url, self.role("gateway").url)
        return network.at(beacon_urls=(self._parts.beacon.url,))

    def database_url(self, name: str) -> str:
        """URL of a role's database; poller, gateway and proof aggregator share "aggregation"."""
        assert self._parts.postgres is not None
        return self._parts.postgres.url(name)
