"""What all steps of a deployment share: who sends, the parameters, the compiled contracts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aligned.chain.abi import contract_abi
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import ProtocolError
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.deploy_roles import IMPLEMENTATION_SLOT
from aligned.devnet.params import INVALID_PARAMS, DeploymentParams
from aligned.devnet.senders import Sender

# (address, runtime code, storage slot, word): puts a proxy at an address of our choice; a devnet's node only.
Place = Callable[[str, bytes, int, bytes], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What all steps share.

    Attributes:
        programs: the aggregating program of each system.
    """

    send: Sender
    params: DeploymentParams
    artifacts: Artifacts
    place: Place | None
    programs: Mapping[AggregationSystem, bytes]

    def create(self, name: str, *args: object) -> str:
        """Deploys contract `name`."""
        return self.send.deploy(self.artifacts.creation(name, *args))

    def transact(self, name: str, to: str, function: str, *args: object) -> None:
        """Calls a function of contract `name`."""
        self.send.transact(to, contract_abi(name).functions[function].encode(*args))

    def proxy(self, name: str, implementation: str, fixed: str | None, *init_args: object) -> str:
        """An initialised proxy in front of `implementation`; at `fixed` if given."""
        initializer = contract_abi(name).functions["initialize"].encode(*init_args)
        if fixed is None:
            return self.create("AlignedProxy", implementation, initializer)
        if self.place is None:
            raise ProtocolError(INVALID_PARAMS, "a fixed address needs a node that can place code")
        word = bytes.fromhex(implementation[2:]).rjust(32, b"\0")
        self.place(fixed, self.artifacts.runtime("AlignedProxy"), IMPLEMENTATION_SLOT, word)
        self.send.transact(fixed, initializer)
        return fixed
