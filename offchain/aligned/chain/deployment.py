"""Addresses of one deployment: deployments/<chain id>.json."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Self

from eth_utils import to_checksum_address
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from aligned.core.errors import ProtocolError
from aligned.core.text import decode_text

INVALID_DEPLOYMENT = "invalid_deployment"
_ADDRESS = re.compile(r"^0x[0-9a-fA-F]{40}$")


def _checksummed(text: str) -> str:
    if _ADDRESS.fullmatch(text) is None:
        raise ValueError(f"not an address: {text[:64]!r}")
    return str(to_checksum_address(text))


Address = Annotated[str, AfterValidator(_checksummed)]


class Deployment(BaseModel):
    """Where the contracts of one chain are."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    chain_id: int = Field(gt=0, description="EIP-155 chain id")
    service_manager: Address = Field(description="AlignedLayerServiceManager proxy")
    payment_service: Address = Field(description="BatcherPaymentService proxy")
    operator_registry: Address = Field(description="OperatorRegistry proxy")
    stake_source: Address = Field(description="IStakeSource in force at deployment")
    access_manager: Address = Field(description="AccessManager that holds the roles")
    aggregation_payment_service: Address = Field(description="AggregationModePaymentService proxy")
    aggregation_service: Address = Field(description="AlignedProofAggregationService proxy")
    deployed_block: int = Field(ge=0, description="block before which none of the contracts has events")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a file.

        Raises:
            ProtocolError: invalid_deployment, with every wrong field.
        """
        try:
            return cls.model_validate_json(decode_text(path.read_bytes(), str(path)))
        except (OSError, ValidationError) as error:
            raise ProtocolError(INVALID_DEPLOYMENT, f"{path}: {error}") from error

    def save(self, path: Path) -> None:
        """Writes the file, replacing it in one step."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(path.suffix + ".new")
        temporary.write_text(self.model_dump_json(indent=2) + "\n")
        temporary.replace(path)


def address_bytes(address: str | bytes) -> bytes:
    """20 bytes of an address in either form.

    Raises:
        ProtocolError: invalid_deployment.
    """
    if isinstance(address, bytes):
        if len(address) != 20:
            raise ProtocolError(INVALID_DEPLOYMENT, f"address of {len(address)} bytes")
        return address
    if _ADDRESS.fullmatch(address) is None:
        raise ProtocolError(INVALID_DEPLOYMENT, f"not an address: {address[:64]!r}")
    return bytes.fromhex(address[2:])
