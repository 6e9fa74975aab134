"""Settings of all roles: one TOML file, overridden by ALIGNED__SECTION__FIELD in the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from aligned.core.errors import ProtocolError
from aligned.core.text import decode_text
from aligned.settings.aggregation import (
    GatewaySettings,
    IntakeSettings,
    PollerSettings,
    ProofAggregatorSettings,
)
from aligned.settings.batcher import BatcherSettings
from aligned.settings.environment import ENV_PREFIX, wrong_variables
from aligned.settings.network import ChainSettings, WatchdogSettings
from aligned.settings.retention import RetentionSettings
from aligned.settings.sections import (
    AggregatorSettings,
    DatabaseSettings,
    OperatorSettings,
    SdkSettings,
    StoreSettings,
)

INVALID_SETTINGS = "invalid_settings"


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
    settings, problems = _read(_sections_of(path))
    if settings is None or problems:
        raise ProtocolError(INVALID_SETTINGS, "; ".join(problems), problems=problems)
    return settings


def check(path: Path | None = None) -> list[str]:
    """Every problem of the settings, files that they name and that are not there included; empty when all is well."""
    try:
        sections = _sections_of(path)
    except ProtocolError as error:
        return [error.message]
    _settings, problems = _read(sections)
    return problems + [
        f"{section}.{field}: no file {file}"
        for section, field, file in _named_files(sections)
        if not file.is_file()
    ]


def _sections_of(path: Path | None) -> dict[str, Any]:
    """The sections of the file as they stand there.

    Raises:
        ProtocolError: invalid_settings: no such file, not UTF-8, or no TOML.
    """
    if path is None:
        return {}
    try:
        return tomllib.loads(decode_text(path.read_bytes(), str(path)))
    except OSError as error:
        raise ProtocolError(INVALID_SETTINGS, f"{path}: {error.strerror}") from error
    except ProtocolError as error:
        raise ProtocolError(INVALID_SETTINGS, error.message, problems=[error.message]) from error
    except (ValueError, RecursionError) as error:
        text = f"{path} is no TOML: {error}"
        raise ProtocolError(INVALID_SETTINGS, text, problems=[text]) from error


def _read(sections: dict[str, Any]) -> tuple[Settings | None, list[str]]:
    wrong = wrong_variables(Settings)
    problems = _secrets_in(sections) + [f"{name}: {reason}" for name, reason in wrong.items()]
    try:
        return _with_sections(sections, wrong)(), problems
    except ValidationError as error:
        problems += [f"{_dotted(item['loc'])}: {item['msg']}" for item in error.errors(include_input=False)]
    except ValueError as error:
        problems.append(str(error))
    return None, problems


def _secrets_in(sections: dict[str, Any]) -> list[str]:
    """Secrets that somebody wrote into the file."""
    return [
        f"{name}.{field}: secrets come from the environment or a *_file, never from this file"
        for name, field, info in _fields()
        if isinstance(sections.get(name), dict)
        and field in sections[name]
        and SecretStr in get_args(info.annotation)
    ]


def _named_files(sections: dict[str, Any]) -> Iterator[tuple[str, str, Path]]:
    """The files that environment, file or defaults name, also where another setting is wrong."""
    environment = {name.upper(): value for name, value in os.environ.items()}
    for name, field, info in _fields():
        if not field.endswith("_file"):
            continue
        own = sections.get(name)
        given = own.get(field, info.default) if isinstance(own, dict) else info.default
        value = environment.get(f"{ENV_PREFIX}{name}__{field}".upper()) or given
        if isinstance(value, str | Path) and str(value):
            yield name, field, Path(value)


def _fields() -> Iterator[tuple[str, str, FieldInfo]]:
    """Section, name and description of every setting."""
    for name, model in Settings.model_fields.items():
        for field, info in getattr(model.annotation, "model_fields", {}).items():
            yield name, field, info


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)


def _with_sections(sections: dict[str, Any], wrong: Collection[str]) -> type[Settings]:
    left_out = {name.lower() for name in wrong}

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
            if isinstance(env_settings, EnvSettingsSource):
                # One that cannot be read would keep all other mistakes from being found.
                env_settings.env_vars = {
                    name: value
                    for name, value in env_settings.env_vars.items()
                    if name.lower() not in left_out
                }
            return init_settings, env_settings, InitSettingsSource(settings_cls, sections)

    return FileSettings
