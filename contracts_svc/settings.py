"""Settings of a deployment: environment variables ``CONTRACTS_*``, else ``contracts.toml``.

The fields of :class:`Settings` are the one list; ``contracts rules`` and the README show it.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from contracts_svc.errors import Problem, UserMistake

PREFIX = "CONTRACTS_"
TOML_FILE = "contracts.toml"


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


def load() -> Settings:
    """Read and validate the settings. Raises UserMistake with every problem."""
    try:
        return Settings(**(_from_file() | _from_environment()))
    except ValidationError as error:
        raise UserMistake(
            Problem(
                None,
                f"setting {PREFIX}{'_'.join(str(p) for p in e['loc']).upper()}: {e['msg']}",
                f"set it in the environment or in {TOML_FILE}",
            )
            for e in error.errors(include_input=False, include_url=False)
        ) from None
    except (OSError, ValueError) as error:
        raise UserMistake.of(
            f"{TOML_FILE} cannot be read: {error}", "it is a TOML file of settings"
        ) from None


def _from_file() -> dict[str, Any]:
    file = Path(TOML_FILE)
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _from_environment() -> dict[str, Any]:
    # Not with pydantic-settings: to import it takes longer than to check data that did not change.
    found: dict[str, Any] = {}
    for name in Settings.model_fields:
        text = os.environ.get(f"{PREFIX}{name.upper()}")
        if text is not None:
            found[name] = text
    if "lineage" in found:
        found["lineage"] = [Path(p) for p in found["lineage"].split(os.pathsep) if p]
    if "allowed_locations" in found:
        found["allowed_locations"] = found["allowed_locations"].split()
    for name, example in _JSON.items():
        if name in found:
            try:
                found[name] = json.loads(found[name])
            except ValueError as error:
                raise UserMistake.of(
                    f"setting {PREFIX}{name.upper()} is no JSON: {error}", f"as in {example}"
                ) from None
    return found


_JSON = {
    "s3_buckets": '{"raw": {"profile": "raw-reader"}}',
    "oidc_groups": '{"data-platform": ["admin"]}',
}
"""Settings that the environment holds as JSON, each with an example."""


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
    if value in ("", [], {}, None):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
