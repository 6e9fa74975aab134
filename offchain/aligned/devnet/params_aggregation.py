"""Parameters of aggregation mode: terms of its subscriptions, verifiers of its programs."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from aligned.chain.deployment import Address
from aligned.core.aggregation import AggregationSystem

UINT96_MAX = 2**96 - 1
MAX_TIME_AHEAD_S = 3650 * 86_400
_PERIODS_AHEAD = 2


class Section(BaseModel):
    """A section of the file: unknown fields are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _bytes_of(length: int) -> BeforeValidator:
    def parse(value: object) -> bytes:
        if isinstance(value, bytes) and len(value) == length:
            return value
        if not isinstance(value, str) or re.fullmatch(rf"0x[0-9a-fA-F]{{{2 * length}}}", value) is None:
            raise ValueError(f"expected 0x and {2 * length} hex digits in quotes")
        return bytes.fromhex(value[2:])

    return BeforeValidator(parse)


Bytes32 = Annotated[bytes, _bytes_of(32)]
Selector = Annotated[bytes, _bytes_of(4)]


class Risc0Version(Section):
    """Constants of the RISC Zero release whose proofs are accepted; older ones accepted wrong proofs."""

    control_root: Bytes32
    control_id: Bytes32 = Field(description="of the BN254 circuit, as a number below the group order")
    selector: Selector = Field(
        description="follows from the others and the key; compared with the contract's"
    )


class Route(Section):
    """One route of a public router, pinned to a verifier and its code."""

    router: Address
    selector: Selector
    verifier: Address
    code_hash: Bytes32


class AggregationParams(Section):
    """Aggregation mode."""

    verifiers: Literal["dev", "groth16", "gateway"]
    risc0: Risc0Version | None = Field(default=None, description="needed by groth16")
    routes: dict[Literal["sp1", "risc0"], Route] = Field(default={}, description="needed by gateway")
    price_wei: int = Field(ge=1, le=UINT96_MAX)
    proofs_per_period: int = Field(ge=1, lt=2**32)
    period_s: int = Field(ge=1)
    max_ahead_s: int = Field(le=MAX_TIME_AHEAD_S)
    recipient: Address | None = Field(default=None, description="gets the money; devnet only: the deployer")

    def terms(self) -> tuple[int, ...]:
        """In the order of `setTerms`."""
        return (self.price_wei, self.proofs_per_period, self.period_s, self.max_ahead_s)

    @property
    def risc0_version(self) -> Risc0Version:
        """The constants, which validation has found present."""
        assert self.risc0 is not None
        return self.risc0

    def route_of(self, system: AggregationSystem) -> Route:
        """The route of a system, which validation has found present."""
        return self.routes[system.wire_name]  # type: ignore[index]

    @model_validator(mode="after")
    def _renewal_before_the_end_has_room(self) -> Self:
        if self.max_ahead_s < _PERIODS_AHEAD * self.period_s:
            raise ValueError(f"max_ahead_s must be at least {_PERIODS_AHEAD} periods")
        return self

    @model_validator(mode="after")
    def _verifiers_have_what_they_need(self) -> Self:
        if self.verifiers == "groth16" and self.risc0 is None:
            raise ValueError("verifiers: groth16 needs the section risc0")
        absent = [system.wire_name for system in AggregationSystem if system.wire_name not in self.routes]
        if self.verifiers == "gateway" and absent:
            raise ValueError(f"verifiers: gateway needs routes for {', '.join(absent)}")
        return self
