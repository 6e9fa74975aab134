"""Who may call what: roles of the access manager, their functions and their holders."""

from __future__ import annotations

from aligned.chain.deployment import Deployment
from aligned.devnet.params import DEVNET_CHAIN_ID, DeploymentParams

# keccak256("eip1967.proxy.implementation") - 1
IMPLEMENTATION_SLOT = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC

ADMIN_ROLE, GUARDIAN_ROLE, EJECTOR_ROLE, SLASHER_ROLE = range(4)

# Restricted functions that somebody else than the admin may call, by role and contract.
ROLE_FUNCTIONS: dict[int, dict[str, tuple[str, ...]]] = {
    GUARDIAN_ROLE: {
        "AlignedLayerServiceManager": ("setIntakePaused", "disableVerifier", "revokeBatch"),
        "BatcherPaymentService": ("setIntakePaused",),
        "AggregationModePaymentService": ("setIntakePaused",),
        "AlignedProofAggregationService": (
            "disallowProgram",
            "revokeProgram",
            "revokeRoots",
            "setVerificationPaused",
        ),
    },
    EJECTOR_ROLE: {"OperatorRegistry": ("eject",)},
    SLASHER_ROLE: {"LocalStakeSource": ("slash",)},
}


def role_holders(params: DeploymentParams, deployer: str) -> dict[int, str]:
    """Who shall hold which role; the deployer stands in on a devnet. A role without a holder is left out."""
    roles = params.roles
    named = {
        ADMIN_ROLE: roles.admin,
        GUARDIAN_ROLE: roles.guardian,
        EJECTOR_ROLE: roles.ejector,
        SLASHER_ROLE: roles.slasher,
    }
    if params.chain_id == DEVNET_CHAIN_ID:
        return {role: holder or deployer for role, holder in named.items()}
    return {role: holder for role, holder in named.items() if holder is not None}


def contract_addresses(params: DeploymentParams, deployment: Deployment) -> dict[str, str]:
    """Our restricted contracts by name (a stake source that existed before has its own authority)."""
    addresses = {
        "AlignedLayerServiceManager": deployment.service_manager,
        "BatcherPaymentService": deployment.payment_service,
        "OperatorRegistry": deployment.operator_registry,
        "AggregationModePaymentService": deployment.aggregation_payment_service,
        "AlignedProofAggregationService": deployment.aggregation_service,
    }
    if params.stake.source is None:
        addresses["LocalStakeSource"] = deployment.stake_source
    return addresses
