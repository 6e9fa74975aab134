"""Settings of all roles: one TOML file, overridden by ALIGNED__SECTION__FIELD in the environment.

Secrets are never in the file: a field `*_file` names where they are, or the environment carries them.
"""

from aligned.settings.aggregation import (
    GatewaySettings,
    IntakeSettings,
    PollerSettings,
    ProofAggregatorSettings,
)
from aligned.settings.batcher import BatcherSettings
from aligned.settings.environment import ENV_PREFIX
from aligned.settings.loading import INVALID_SETTINGS, Settings, check, load
from aligned.settings.network import ChainSettings, WatchdogSettings
from aligned.settings.retention import RetentionSettings
from aligned.settings.sections import (
    MIB,
    AggregatorSettings,
    DatabaseSettings,
    KeySettings,
    OperatorSettings,
    SdkSettings,
    StoreSettings,
)

__all__ = [
    "ENV_PREFIX",
    "INVALID_SETTINGS",
    "MIB",
    "AggregatorSettings",
    "BatcherSettings",
    "ChainSettings",
    "DatabaseSettings",
    "GatewaySettings",
    "IntakeSettings",
    "KeySettings",
    "OperatorSettings",
    "PollerSettings",
    "ProofAggregatorSettings",
    "RetentionSettings",
    "SdkSettings",
    "Settings",
    "StoreSettings",
    "WatchdogSettings",
    "check",
    "load",
]
