"""Settings of a deployment: environment variables ``CONTRACTS_*``, else ``contracts.toml``.

The fields of :class:`Settings` are the one list; ``contracts rules`` and the README show it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from contracts_svc.errors import Problem, UserMistake

PREFIX = "CONTRACTS_"
TOML_FILE = "contracts.toml"


class Settings(BaseSettings):
    """All settings, validated whole. Secrets never show in a repr or an error."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", hide_input_in_errors=True)

    s3_endpoint: str = Field("", description="http(s)://host:port of an S3-compatible server; empty: AWS")
    s3_region: str = Field("", description="Region of the buckets; empty: AWS_REGION, else us-east-1")
    s3_access_key: SecretStr = Field(
        SecretStr(""), description="Access key; empty: the AWS chain (environment, profile, role)"
    )
    s3_secret_key: SecretStr = Field(SecretStr(""), description="Secret key that belongs to it")
    s3_session_token: SecretStr = Field(SecretStr(""), description="Session token, for temporary keys")
    s3_profile: str = Field("", description="Profile of ~/.aws to take credentials from")
    s3_path_style: bool = Field(False, description="Address buckets as host/bucket (most non-AWS servers)")
    lineage: Annotated[list[Path], NoDecode] = Field(
        [], description=f"Files or folders of lineage (see --lineage), separated by '{os.pathsep}'"
    )
    service_url: str = Field(
        "", description="Address of a running service, whose lineage `contracts preflight` judges by"
    )
    service_token: SecretStr = Field(SecretStr(""), description="Token for it (scope: viewer)")
    database_url: SecretStr = Field(
        SecretStr("sqlite:///.contracts/contracts.db"),
        description="The store: sqlite:///FILE (one process), or postgresql://USER:PASSWORD@HOST/DATABASE",
    )
    keep_measurements_days: int = Field(
        400, ge=1, description="Days that figures of checks are kept for drawing and for thresholds"
    )
    keep_runs_days: int = Field(
        400,
        ge=1,
        description="Days that runs are kept, with results and figures; the last of each table stays",
    )
    keep_events_days: int = Field(
        30,
        ge=15,
        description="Days that publish events are known by, so that each counts once; SQS sends them for 14",
    )
    keep_lineage_days: int = Field(
        730, ge=1, description="Days that lineage is kept after a job has reported it last"
    )
    keep_messages_days: int = Field(90, ge=1, description="Days that messages are kept after they were sent")
    embedded: bool = Field(
        True,
        description="Whether `contracts serve` also schedules, checks and sends; false where "
        "`contracts worker` does all that",
    )
    worker_slots: int = Field(4, ge=1, le=256, description="Checks that one worker does at once")
    runs_per_bucket: int = Field(
        16, ge=1, description="Scheduled checks of one bucket at once, in all workers"
    )
    runs_per_tenant: int = Field(
        64, ge=1, description="Scheduled checks of one tenant at once, in all workers"
    )
    run_attempts: int = Field(
        3, ge=1, le=20, description="How often a scheduled check is begun before it is given up and told"
    )
    publish_quiet_seconds: float = Field(
        30, ge=0, le=300, description="Seconds without another publish event after which a table is checked"
    )
    maintenance_file: Path | None = Field(
        None, description="YAML file of `time_intervals`, in which no check is begun by itself"
    )
    routes: str = Field("", description="Route file of alerts; empty: contracts' own channels decide")
    slack_token: SecretStr = Field(
        SecretStr(""), description="Bot token (xoxb-...) for the Slack channels that contracts name"
    )
    host: str = Field("127.0.0.1", description="Address that `contracts serve` listens at")
    port: int = Field(8080, ge=0, le=65535, description="Port that it listens at; 0: any that is free")
    rate_per_second: float = Field(
        50,
        gt=0,
        description="Requests a second that each token may make on the average (in bursts four times)",
    )
    policy: Path | None = Field(
        None, description="Policy file that registrations are judged by; empty: the defaults"
    )
    memory_limit: str = Field("512MB", description="Most memory a check run may use in the engine")
    temp_directory: str = Field("", description="Where the engine spills; empty: the system's folder")
    timeout_seconds: int = Field(600, ge=1, description="Most seconds one query of a check may take")
    states_file: str = Field(
        ".contracts/states.db",
        description="Where checks keep figures of files, to read only new and changed ones; empty: nowhere",
    )
    samples: int = Field(5, ge=0, le=1000, description="Failing rows kept per check")
    checks_directory: Path = Field(
        Path("checks"), description="Folder of trusted custom checks (pandera), named in contracts"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(TOML_FILE))


def load() -> Settings:
    """Read and validate the settings. Raises UserMistake with every problem."""
    paths = os.environ.get(f"{PREFIX}LINEAGE")
    given = {"lineage": [Path(p) for p in paths.split(os.pathsep) if p]} if paths else {}
    try:
        return Settings(**given)  # type: ignore[arg-type, unused-ignore]
    except ValidationError as error:
        raise UserMistake(
            Problem(
                None,
                f"setting {PREFIX}{'_'.join(str(p) for p in e['loc']).upper()}: {e['msg']}",
                f"set it in the environment or in {TOML_FILE}",
            )
            for e in error.errors(include_input=False, include_url=False)
        ) from None
    except (SettingsError, ValueError) as error:
        raise UserMistake.of(
            f"{TOML_FILE} cannot be read: {error}", "it is a TOML file of settings"
        ) from None


def rows() -> list[tuple[str, str, str]]:
    """Name, default and meaning of every setting, for help and docs."""
    return [
        (f"{PREFIX}{name.upper()}", _default(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def _default(value: object) -> str:
    if isinstance(value, SecretStr):
        # Defaults stand in the code: what is secret is what somebody sets.
        value = value.get_secret_value()
    if value in ("", [], None):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
