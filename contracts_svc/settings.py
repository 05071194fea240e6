"""Settings of a deployment: environment variables ``CONTRACTS_*``, else one TOML file (``contracts.toml``
in the working directory, or what ``CONTRACTS_SETTINGS_FILE`` names).

The fields of :class:`Settings` are the one list; ``contracts settings`` and the README show it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from contracts_svc.errors import Problem, UserMistake
from contracts_svc.settings_sources import (
    SettingsFile,
    in_words,
    misspelt,
    read_file,
    similar,
    without_password,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "CONTRACTS_"
TOML_FILE = "contracts.toml"
FILE_VARIABLE = "CONTRACTS_SETTINGS_FILE"
_SIZE = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?)?B", re.IGNORECASE)
_DATABASES = ("sqlite:", "postgresql:", "postgresql+psycopg:", "postgres:")


class Bucket(BaseModel):
    """How a bucket is reached that is not reached as the others are."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    endpoint: str = ""
    region: str = ""
    access_key: SecretStr = SecretStr("")
    secret_key: SecretStr = SecretStr("")
    session_token: SecretStr = SecretStr("")
    profile: str = ""
    path_style: bool = False


class Settings(BaseModel):
    """All settings, validated whole. Secrets never show in a repr or an error."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    s3_endpoint: str = Field("", description="http(s)://host:port of an S3-compatible server; empty: AWS")
    s3_region: str = Field("", description="Region of the buckets; empty: AWS_REGION, else us-east-1")
    s3_access_key: SecretStr = Field(
        SecretStr(""), description="Access key; empty: the AWS chain (environment, profile, role)"
    )
    s3_secret_key: SecretStr = Field(SecretStr(""), description="Secret key that belongs to it")
    s3_session_token: SecretStr = Field(SecretStr(""), description="Session token, for temporary keys")
    s3_profile: str = Field("", description="Profile of ~/.aws to take credentials from")
    s3_path_style: bool = Field(False, description="Address buckets as host/bucket (most non-AWS servers)")
    s3_buckets: dict[str, Bucket] = Field(
        {},
        description="Buckets that are reached otherwise: in TOML `[s3_buckets.NAME]` with endpoint, region,"
        " access_key, secret_key, session_token, profile, path_style",
    )
    lineage: list[Path] = Field(
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
    email_url: SecretStr = Field(
        SecretStr(""),
        description="How e-mail goes to addresses that contracts name: mailtos://USER:PASSWORD@HOST?from=...",
    )
    slack_signing_secret: SecretStr = Field(
        SecretStr(""),
        description="Signing secret of the Slack app, for buttons; two with a comma while it is changed",
    )
    slack_app_token: SecretStr = Field(
        SecretStr(""), description="App-level token (xapp-...): buttons by Socket Mode instead of HTTP"
    )
    people_file: Path | None = Field(
        None, description="YAML file of `people`: who may press buttons in Slack, and for which squads"
    )
    host: str = Field("127.0.0.1", description="Address that `contracts serve` listens at")
    port: int = Field(8080, ge=0, le=65535, description="Port that it listens at; 0: any that is free")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto",
        description="Logs of `contracts serve` and `contracts worker`: json, text (for people), or auto: "
        "text on a terminal",
    )
    rate_per_second: float = Field(
        50,
        gt=0,
        description="Requests a second that each token may make on the average (in bursts four times)",
    )
    policy: Path | None = Field(
        None, description="Policy file that registrations are judged by; empty: the defaults"
    )
    public_url: str = Field(
        "", description="What a browser's address bar says of this service: https://contracts.example.com"
    )
    oidc_issuer: str = Field(
        "", description="OpenID provider by which people log in; empty: there are only tokens"
    )
    oidc_client_id: str = Field("", description="This service's id at the provider")
    oidc_client_secret: SecretStr = Field(
        SecretStr(""), description="Its secret there; empty: a public client (PKCE is used with either)"
    )
    oidc_scopes: str = Field("openid profile email", description="What the provider is asked to tell")
    oidc_groups: dict[str, list[str]] = Field(
        {},
        description='Group -> scopes: `{"data-platform": ["admin"], "squad-*": ["editor", "squad:*"]}`',
    )
    oidc_groups_claim: str = Field(
        "groups", description="Claim with the groups; a path of names with dots is followed"
    )
    oidc_name_claim: str = Field("email", description="Claim with what a person is called in the audit")
    oidc_tenant_claim: str = Field("", description="Claim with a person's tenant; empty: no tenant")
    oidc_default_role: str = Field(
        "viewer", description="Role of everybody who can log in; empty: only those in a group of ours"
    )
    session_hours: float = Field(
        8, gt=0, le=720, description="After which a person has to log in again, and is asked for groups anew"
    )
    github_app_id: int | None = Field(None, ge=1, description="Id of the GitHub App; empty: there is none")
    github_private_key_file: Path | None = Field(None, description="PEM file of its private key")
    github_private_key: SecretStr = Field(
        SecretStr(""), description="The private key itself (PEM), instead of a file"
    )
    github_webhook_secret: SecretStr = Field(SecretStr(""), description="Secret that webhooks are signed by")
    github_webhook_secret_old: SecretStr = Field(
        SecretStr(""), description="The secret before it, valid too while the secret is changed"
    )
    github_api_url: str = Field(
        "https://api.github.com", description="GitHub's API; of an Enterprise Server https://HOST/api/v3"
    )
    github_proxy: str = Field(
        "", description="Proxy on the way to GitHub; empty: HTTPS_PROXY and NO_PROXY of the environment"
    )
    github_file: Path | None = Field(
        None, description="YAML file: whose a repository is, and who of GitHub speaks for which team"
    )
    allowed_locations: list[str] = Field(
        [],
        description="Where the data of contracts may lie, as prefixes (`s3://lake/{tenant}/`, `postgres://`),"
        " separated by blanks; {tenant} is the contract's; empty: anywhere",
    )
    memory_limit: str = Field("512MB", description="Most memory of a check, in a process of its own")
    temp_directory: str = Field("", description="Where the engine spills; empty: the system's folder")
    timeout_seconds: int = Field(600, ge=1, description="Most seconds one query of a check may take")
    states_file: str = Field(
        ".contracts/states.db",
        description="Where checks keep figures of files, to read only new and changed ones; empty: nowhere",
    )
    openlineage_url: str = Field(
        "", description="Endpoint of OpenLineage that is told what each check found; empty: none is"
    )
    openlineage_api_key: SecretStr = Field(SecretStr(""), description="Key for it, sent as a bearer token")
    sources_python: str = Field(
        "",
        description="Python that has datacontract-cli with the extras of sources that are not files;"
        " empty: the one that runs this",
    )
    samples: int = Field(5, ge=0, le=1000, description="Failing rows kept per check")
    checks_directory: Path = Field(
        Path("checks"), description="Folder of trusted custom checks (pandera), named in contracts"
    )

    @field_validator("s3_endpoint", "service_url", "public_url", "github_api_url", "github_proxy")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("it is no web address: write http://HOST or https://HOST")
        return value

    @field_validator("memory_limit")
    @classmethod
    def _is_size(cls, value: str) -> str:
        if not _SIZE.fullmatch(value.strip()):
            raise ValueError("it is no size: write for instance 512MB or 2GB")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(_DATABASES):
            raise ValueError(
                "it is no address of SQLite or PostgreSQL: write sqlite:///FILE or "
                "postgresql://USER:PASSWORD@HOST/DATABASE"
            )
        return value

    @model_validator(mode="after")
    def _has_both_keys(self) -> Settings:
        if bool(self.s3_access_key.get_secret_value()) != bool(self.s3_secret_key.get_secret_value()):
            raise ValueError(f"{PREFIX}S3_ACCESS_KEY and {PREFIX}S3_SECRET_KEY: one is set without the other")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A setting as it may be shown: what is secret in it is hidden."""

    name: str
    """As environment variables are called."""
    value: Any
    """JSON."""
    source: str
    """``default``, ``environment``, or the place in the file."""
    meaning: str


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read and validate the settings. Raises UserMistake with every problem, each with where it stands."""
    return _loaded(environment)[0]


def shown(environment: Mapping[str, str] = os.environ) -> list[Shown]:
    """Every setting, and where it comes from. Raises UserMistake as :func:`load` does."""
    loaded, file, given = _loaded(environment)
    values = loaded.model_dump(mode="json")
    values["database_url"] = loaded.database_url.get_secret_value()
    found: list[Shown] = []
    for name, field in Settings.model_fields.items():
        source = "default"
        if name in given:
            source = "environment"
        elif name in file.values:
            source = str(file.place([name]))
        value = values[name]
        text = without_password(value) if isinstance(value, str) else value
        found.append(Shown(name=_variable(name), value=text, source=source, meaning=field.description or ""))
    return found


def _loaded(environment: Mapping[str, str]) -> tuple[Settings, SettingsFile, dict[str, Any]]:
    named = environment.get(FILE_VARIABLE, "")
    file = read_file(Path(named or TOML_FILE), must_be_there=bool(named))
    given, problems = _from_environment(environment)
    try:
        found = Settings(**(dict(file.values) | given))
    except ValidationError as error:
        told = error.errors(include_input=False, include_url=False)
        problems += [_problem(e, file, given) for e in told]
    if problems:
        raise UserMistake(problems)
    return found, file, given


def _from_environment(environment: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    # Not with pydantic-settings: to import it takes longer than to check data that did not change.
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, field in Settings.model_fields.items():
        text = environment.get(_variable(name))
        if text is None:
            continue
        if name == "lineage":
            found[name] = [Path(p) for p in text.split(os.pathsep) if p]
        elif isinstance(field.get_default(call_default_factory=True), list):
            found[name] = text.split()
        elif isinstance(field.get_default(call_default_factory=True), dict):
            try:
                found[name] = json.loads(text or "{}")
            except ValueError as error:
                hint = "write an object, as the README shows"
                problems.append(Problem(None, f"{_variable(name)} is no JSON: {error}", hint))
        elif text or field.default is not None:
            found[name] = text
    known = [*Settings.model_fields, FILE_VARIABLE.removeprefix(PREFIX).lower()]
    for variable, meant in misspelt(environment, PREFIX, known).items():
        hint = f"{meant} is meant, it seems; give it another name if not"
        problems.append(Problem(None, f"the environment variable {variable} is no setting", hint))
    return found, problems


def _problem(error: ErrorDetails, file: SettingsFile, given: Mapping[str, Any]) -> Problem:
    """A problem of a value, as whoever wrote it has to hear of it."""
    kind, keys = error["type"], tuple(map(str, error["loc"]))
    if not keys:
        hint = "set both, or neither; `contracts settings` shows where each comes from"
        return Problem(None, error["msg"].removeprefix("Value error, "), hint)
    name = ".".join(keys)
    fields = Bucket.model_fields if keys[0] == "s3_buckets" and len(keys) > 1 else Settings.model_fields
    if kind == "extra_forbidden":
        meant = similar(keys[-1], fields)
        hint = f"did you mean {meant}?" if meant else "leave it out; the README has them all"
        return Problem(file.place(keys), f"there is no setting {name}", hint)
    field = Settings.model_fields[keys[0]]
    said = in_words(kind, error["msg"], error.get("ctx", {}))
    about = f"it is: {field.description}"
    usual = _default(field.default)
    if keys[0] in given:
        where = _variable(keys[0]) + "".join(f".{k}" for k in keys[1:])
        hint = f"write for instance {_variable(keys[0])}={usual}; {about}" if usual else about
        return Problem(None, f"the environment variable {where}: {said}", hint)
    hint = f"write for instance {name} = {_toml(field.default)}; {about}" if usual else about
    return Problem(file.place(keys), f"{name}: {said}", hint)


def _toml(value: object) -> str:
    return _default(value) if isinstance(value, int | float) else f'"{_default(value)}"'


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def rows() -> list[tuple[str, str, str]]:
    """Name, default and meaning of every setting, for help and docs."""
    return [
        (_variable(name), _default(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def _default(value: object) -> str:
    if isinstance(value, SecretStr):
        # Defaults stand in the code: what is secret is what somebody sets.
        value = value.get_secret_value()
    if value in ("", [], {}, None):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
