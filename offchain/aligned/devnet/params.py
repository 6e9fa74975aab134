"""Parameters of a deployment: deployments/params/<network>.yaml, validated before the first transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import yaml
from pydantic import Field, ValidationError, model_validator

from aligned.chain.deployment import Address
from aligned.core.errors import ProtocolError
from aligned.core.text import decode_text
from aligned.devnet.params_aggregation import UINT96_MAX, AggregationParams, Section

INVALID_PARAMS = "invalid_deployment_params"
DEVNET_CHAIN_ID = 31337
MAX_OPERATORS = 1024
_MOST_ERROR_CHARS = 300


class RegistryParams(Section):
    """`RegistryConfig` of the operator registry."""

    min_stake_wei: int = Field(ge=1, le=UINT96_MAX // MAX_OPERATORS)
    max_operators: int = Field(ge=1, le=MAX_OPERATORS)
    churn_operator_bps: int = Field(gt=10_000, lt=2**16)
    churn_total_bps: int = Field(ge=0, le=10_000)
    ejection_cooldown_s: int = Field(ge=0, lt=2**32)

    def abi(self) -> tuple[int, ...]:
        """In the struct's order."""
        return (
            self.min_stake_wei,
            self.max_operators,
            self.churn_operator_bps,
            self.churn_total_bps,
            self.ejection_cooldown_s,
        )


class ServiceParams(Section):
    """`ServiceConfig` of the service manager (intake starts open)."""

    min_total_stake_wei: int = Field(ge=1, le=UINT96_MAX)
    min_fee_wei: int = Field(ge=1, lt=2**72)
    min_signers: int = Field(ge=1, le=MAX_OPERATORS)
    threshold_bps: int = Field(gt=5_000, le=10_000)
    response_window_blocks: int = Field(ge=1, le=50_400)
    max_tip_gwei: int = Field(ge=0, lt=2**16)

    def abi(self) -> tuple[int | bool, ...]:
        """In the struct's order."""
        return (
            self.min_total_stake_wei,
            self.min_fee_wei,
            self.min_signers,
            self.threshold_bps,
            self.response_window_blocks,
            self.max_tip_gwei,
            False,
        )


class PaymentParams(Section):
    """Constructor and initialiser of the batcher payment service."""

    default_fee_cap_wei: int = Field(ge=1, lt=2**64)
    batcher: Address | None = Field(default=None, description="first batcher; devnet only: the deployer")


class StakeParams(Section):
    """Where weights come from: an existing IStakeSource, or a new LocalStakeSource with this unbonding time."""

    source: Address | None = None
    unbonding_blocks: int | None = Field(default=None, ge=1, lt=2**32)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.source is None) == (self.unbonding_blocks is None):
            raise ValueError("give either `source` or `unbonding_blocks`")
        return self


class RoleParams(Section):
    """Holders of the access manager's roles; on a devnet the deployer stands in for any that is missing."""

    admin: Address | None = Field(default=None, description="a TimelockController in production")
    admin_min_delay_s: int = Field(
        default=0, ge=0, description="least delay that the admin's timelock must have"
    )
    guardian: Address | None = Field(
        default=None, description="pauses intake, turns verifiers off, revokes batches"
    )
    ejector: Address | None = Field(default=None, description="takes operators out of the set")
    slasher: Address | None = Field(default=None, description="slashes the local stake source")


class FixedAddresses(Section):
    """Where a devnet's proxies shall stand: addresses that clients of the reference have built in."""

    service_manager: Address | None = None
    payment_service: Address | None = None
    aggregation_payment_service: Address | None = None
    aggregation_service: Address | None = None

    def named(self) -> bool:
        """Whether there is any."""
        return any(self.model_dump().values())


class DeploymentParams(Section):
    """All parameters of one network."""

    chain_id: int = Field(gt=0)
    registry: RegistryParams
    service: ServiceParams
    payment: PaymentParams
    stake: StakeParams
    aggregation: AggregationParams
    roles: RoleParams = RoleParams()
    fixed: FixedAddresses = Field(default=FixedAddresses(), description="devnet only")

    @model_validator(mode="after")
    def _stake_outlives_the_response_window(self) -> Self:
        unbonding = self.stake.unbonding_blocks
        if unbonding is not None and unbonding <= self.service.response_window_blocks:
            raise ValueError("stake.unbonding_blocks must be longer than service.response_window_blocks")
        return self

    @model_validator(mode="after")
    def _production_names_everybody(self) -> Self:
        if self.chain_id == DEVNET_CHAIN_ID:
            return self
        roles = self.roles
        named = {
            "roles.admin": roles.admin,
            "roles.guardian": roles.guardian,
            "roles.ejector": roles.ejector,
            "payment.batcher": self.payment.batcher,
            "aggregation.recipient": self.aggregation.recipient,
        }
        if self.stake.source is None:
            named["roles.slasher"] = roles.slasher
        missing = [name for name, address in named.items() if address is None]
        if missing:
            raise ValueError(f"outside a devnet these must be named: {', '.join(missing)}")
        if self.aggregation.verifiers == "dev":
            raise ValueError(
                "aggregation.verifiers: dev exists on a devnet only, as anybody can write dev proofs"
            )
        if self.fixed.named():
            raise ValueError("fixed addresses exist on a devnet only")
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads and checks a file.

        Raises:
            ProtocolError: invalid_deployment_params, with every wrong field.
        """
        try:
            return cls.model_validate(yaml.safe_load(decode_text(path.read_bytes(), str(path))))
        except ValidationError as error:
            problems = [
                f"{'.'.join(map(str, item['loc'])) or 'parameters'}: {item['msg']}" for item in error.errors()
            ]
            raise ProtocolError(INVALID_PARAMS, f"{path}: {'; '.join(problems)}") from error
        except (OSError, yaml.YAMLError, RecursionError) as error:
            # YAML's errors have several lines, with a part of the file.
            text = " ".join(str(error).split())[:_MOST_ERROR_CHARS]
            raise ProtocolError(INVALID_PARAMS, f"{path}: {text}") from error
