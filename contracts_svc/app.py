"""The one place that wires: settings in, adapters out."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from contracts_svc.adapters.engines.duckdb import DuckDBEngine
from contracts_svc.adapters.pandera_checks import PanderaChecks
from contracts_svc.adapters.pattern_process import PatternProcess
from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.errors import UserMistake
from contracts_svc.ports import FileOpener, S3Access
from contracts_svc.settings import Settings

if TYPE_CHECKING:
    from contracts_svc.adapters.store.database import Database
    from contracts_svc.adapters.store.store import DatabaseStore
    from contracts_svc.api.service import Service


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def s3_access(settings: Settings) -> S3Access:
    """How to reach S3: the settings' own keys, else AWS's chain. Raises UserMistake, CouldNotCheck."""
    endpoint = settings.s3_endpoint or os.environ.get("AWS_ENDPOINT_URL_S3", "")
    endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL", "")
    if not settings.s3_access_key.get_secret_value():
        from contracts_svc.adapters.aws import from_chain

        return from_chain(
            profile=settings.s3_profile,
            region=settings.s3_region,
            endpoint=endpoint,
            path_style=settings.s3_path_style or bool(endpoint),
        )
    return S3Access(
        access_key=settings.s3_access_key.get_secret_value(),
        secret_key=settings.s3_secret_key.get_secret_value(),
        session_token=settings.s3_session_token.get_secret_value(),
        region=settings.s3_region or os.environ.get("AWS_REGION", "us-east-1"),
        endpoint=endpoint,
        path_style=settings.s3_path_style or bool(endpoint),
    )


def engine(settings: Settings, access: S3Access | None) -> DuckDBEngine:
    """The engine that checks run on."""
    return DuckDBEngine(
        access,
        memory_limit=settings.memory_limit,
        temp_directory=settings.temp_directory or None,
        timeout=settings.timeout_seconds,
    )


def custom_checks(folder: Path, opener: FileOpener) -> PanderaChecks:
    """Runs the trusted checks of a folder, each in a bounded child process."""
    return PanderaChecks(folder, opener)


def pattern_inclusion() -> PatternProcess:
    """Compares patterns in a bounded child process, which starts when one is needed."""
    return PatternProcess()


def storage(access: S3Access | None) -> ArrowStorage:
    """Where files are listed and footers are read."""
    return ArrowStorage(access)


def database(settings: Settings) -> Database:
    """The database of the settings, as it is. Raises UserMistake when its address cannot be read."""
    from contracts_svc.adapters.store.database import Database

    return Database(settings.database_url.get_secret_value())


def store(settings: Settings) -> DatabaseStore:
    """What the service remembers, its tables seen to. Raises UserMistake, CouldNotCheck."""
    from contracts_svc import odcs
    from contracts_svc.adapters.odcs_schemas import PackagedSchemas
    from contracts_svc.adapters.store import schema
    from contracts_svc.adapters.store.store import DatabaseStore

    opened = database(settings)
    schema.ready(opened)
    schemas = PackagedSchemas()
    return DatabaseStore(opened, lambda text, file: odcs.read(text, file, schemas.schema))


def service(settings: Settings, *, everyone_may: bool = False) -> Service:
    """What the API works with. Raises UserMistake, CouldNotCheck.

    ``everyone_may``: nobody has to say who they are. For a server that only this machine can reach.
    """
    from contracts_svc import odcs
    from contracts_svc.adapters.odcs_schemas import PackagedSchemas
    from contracts_svc.api.service import Service
    from contracts_svc.policy import Policies
    from contracts_svc.policy_read import read_policy

    schemas = PackagedSchemas()
    policies = Policies()
    if settings.policy is not None:
        try:
            text = settings.policy.read_bytes()
        except OSError as error:
            raise UserMistake.of(
                f"the policy file {settings.policy} cannot be read: {error.strerror}",
                "name another one in the setting CONTRACTS_POLICY",
            ) from error
        policies = read_policy(text, str(settings.policy))
    return Service(
        store=store(settings),
        read=lambda text, file: odcs.read(text, file, schemas.schema),
        clock=SystemClock(),
        everyone_may=everyone_may,
        policies=policies,
        patterns=pattern_inclusion,
    )
