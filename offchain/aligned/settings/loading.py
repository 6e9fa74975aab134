"""Settings of all roles: one TOML file, overridden by ALIGNED__SECTION__FIELD in the environment."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import get_args

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from aligned.core.errors import ProtocolError
from aligned.settings.aggregation import (
    GatewaySettings,
    IntakeSettings,
    PollerSettings,
    ProofAggregatorSettings,
)
from aligned.settings.network import ChainSettings, WatchdogSettings
from aligned.settings.retention import RetentionSettings
from aligned.settings.sections import (
    AggregatorSettings,
    BatcherSettings,
    DatabaseSettings,
    OperatorSettings,
    SdkSettings,
    StoreSettings,
)

INVALID_SETTINGS = "invalid_settings"
ENV_PREFIX = "ALIGNED__"


class Settings(BaseSettings):
    """Everything."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter="__", env_ignore_empty=True
    )

    chain: ChainSettings = Field(default_factory=ChainSettings, description="network and contracts")
    database: DatabaseSettings = Field(default_factory=DatabaseSettings, description="PostgreSQL")
    store: StoreSettings = Field(default_factory=StoreSettings, description="object store")
    batcher: BatcherSettings = Field(default_factory=BatcherSettings, description="batcher")
    operator: OperatorSettings = Field(default_factory=OperatorSettings, description="operator")
    aggregator: AggregatorSettings = Field(default_factory=AggregatorSettings, description="BLS aggregator")
    poller: PollerSettings = Field(default_factory=PollerSettings, description="payments poller")
    gateway: GatewaySettings = Field(default_factory=GatewaySettings, description="gateway")
    proof_aggregator: ProofAggregatorSettings = Field(
        default_factory=ProofAggregatorSettings, description="proof aggregator"
    )
    intake: IntakeSettings = Field(
        default_factory=IntakeSettings, description="proofs of fast-mode batches in the proof aggregator"
    )
    retention: RetentionSettings = Field(
        default_factory=RetentionSettings,
        description="how long each role keeps rows that nothing needs any more",
    )
    sdk: SdkSettings = Field(default_factory=SdkSettings, description="client and command line")
    watchdog: WatchdogSettings = Field(default_factory=WatchdogSettings, description="loops that are stuck")


def load(path: Path | None = None) -> Settings:
    """Reads the file (none: defaults) and the environment.

    Raises:
        ProtocolError: invalid_settings, naming every problem at once; never a value, which may be a secret.
    """
    problems = _secrets_in(path) if path is not None else []
    try:
        settings = _with_file(path)()
    except ValidationError as error:
        problems += [f"{_dotted(item['loc'])}: {item['msg']}" for item in error.errors(include_input=False)]
    except ValueError as error:
        problems.append(str(error))
    if problems:
        raise ProtocolError(INVALID_SETTINGS, "; ".join(problems), problems=problems)
    return settings


def check(path: Path | None = None) -> list[str]:
    """Every problem of the settings, files that they name and that are not there included; empty when all is well."""
    try:
        settings = load(path)
    except ProtocolError as error:
        problems = error.context.get("problems")
        return problems if isinstance(problems, list) else [error.message]
    return [
        f"{section}.{name}: no file {value}"
        for section, fields in settings
        for name, value in fields
        if name.endswith("_file") and isinstance(value, Path) and not value.is_file()
    ]


def _secrets_in(path: Path) -> list[str]:
    """Secrets that somebody wrote into the file."""
    try:
        with path.open("rb") as file:
            sections = tomllib.load(file)
    except OSError as error:
        raise ProtocolError(INVALID_SETTINGS, f"{path}: {error.strerror}") from error
    except ValueError:
        return []  # pydantic reports it
    return [
        f"{name}.{field}: secrets come from the environment or a *_file, never from this file"
        for name, model in Settings.model_fields.items()
        for field, info in getattr(model.annotation, "model_fields", {}).items()
        if isinstance(sections.get(name), dict)
        and field in sections[name]
        and SecretStr in get_args(info.annotation)
    ]


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)


def _with_file(path: Path | None) -> type[Settings]:
    class FileSettings(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=path)

    return FileSettings
