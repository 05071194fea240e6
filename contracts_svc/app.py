"""The one place that wires: settings in, adapters out."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from contracts_svc.errors import UserMistake
from contracts_svc.ports import FileOpener, S3Access, Snapshots
from contracts_svc.settings import Bucket, Settings

if TYPE_CHECKING:
    from contracts_svc.adapters.engines.datacontract_cli import DataContractCli
    from contracts_svc.adapters.engines.duckdb import DuckDBEngine
    from contracts_svc.adapters.pandera_checks import PanderaChecks
    from contracts_svc.adapters.pattern_process import PatternProcess
    from contracts_svc.adapters.schema_import import SchemaImport
    from contracts_svc.adapters.state_file import StateFile
    from contracts_svc.adapters.storage import ArrowStorage
    from contracts_svc.adapters.store.database import Database
    from contracts_svc.adapters.store.store import DatabaseStore
    from contracts_svc.api.service import Service
    from contracts_svc.app_outcomes import Outcomes
    from contracts_svc.flows.register import Reader
    from contracts_svc.flows.retention import Keep
    from contracts_svc.flows.run_check import CheckTable
    from contracts_svc.flows.stored_lineage import StoredLineage
    from contracts_svc.policy import Policies
    from contracts_svc.ports_history import History
    from contracts_svc.ports_jobs import Queue
    from contracts_svc.ports_store import StateStore
    from contracts_svc.routes.intervals import TimeInterval


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def s3_access(settings: Settings) -> S3Access:
    """How to reach S3: the settings' own keys, else AWS's chain; and what is said of single buckets.

    Raises UserMistake, CouldNotCheck.
    """
    endpoint = settings.s3_endpoint or os.environ.get("AWS_ENDPOINT_URL_S3", "")
    usual = Bucket(
        endpoint=endpoint or os.environ.get("AWS_ENDPOINT_URL", ""),
        region=settings.s3_region,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        session_token=settings.s3_session_token,
        profile=settings.s3_profile,
        path_style=settings.s3_path_style,
    )
    return replace(_access(usual), buckets={n: _access(b) for n, b in settings.s3_buckets.items()})


def _access(bucket: Bucket) -> S3Access:
    path_style = bucket.path_style or bool(bucket.endpoint)
    if not bucket.access_key.get_secret_value():
        from contracts_svc.adapters.aws import from_chain

        return from_chain(
            profile=bucket.profile, region=bucket.region, endpoint=bucket.endpoint, path_style=path_style
        )
    return S3Access(
        access_key=bucket.access_key.get_secret_value(),
        secret_key=bucket.secret_key.get_secret_value(),
        session_token=bucket.session_token.get_secret_value(),
        region=bucket.region or os.environ.get("AWS_REGION", "us-east-1"),
        endpoint=bucket.endpoint,
        path_style=path_style,
    )


def engine(settings: Settings, access: S3Access | None) -> DuckDBEngine:
    """The engine that checks run on."""

    from contracts_svc.adapters.engines.duckdb import DuckDBEngine, share_of

    return DuckDBEngine(
        access,
        memory_limit=share_of(settings.memory_limit),
        temp_directory=settings.temp_directory or None,
        timeout=settings.timeout_seconds,
    )


def custom_checks(folder: Path, opener: FileOpener) -> PanderaChecks:
    """Runs the trusted checks of a folder, each in a bounded child process."""

    from contracts_svc.adapters.pandera_checks import PanderaChecks

    return PanderaChecks(folder, opener)


def pattern_inclusion() -> PatternProcess:
    """Compares patterns in a bounded child process, which starts when one is needed."""

    from contracts_svc.adapters.pattern_process import PatternProcess

    return PatternProcess()


def schema_import() -> SchemaImport:
    """Reads schema sources in a bounded child process for each, which starts when one is needed."""
    from contracts_svc.adapters.schema_import import SchemaImport

    return SchemaImport()


def storage(access: S3Access | None) -> ArrowStorage:
    """Where files are listed and footers are read."""

    from contracts_svc.adapters.storage import ArrowStorage

    return ArrowStorage(access)


def snapshots(access: S3Access | None) -> dict[str, Snapshots]:
    """What reads the logs of Delta and Iceberg tables, by their formats."""
    from contracts_svc.adapters.tables_delta import DeltaTables
    from contracts_svc.adapters.tables_iceberg import IcebergTables

    return {"delta": DeltaTables(access), "iceberg": IcebergTables(storage(access).files, access)}


def other_sources(settings: Settings) -> DataContractCli:
    """Measures what does not lie in files, in a bounded child process."""
    from contracts_svc.adapters.engines.datacontract_cli import DataContractCli

    return DataContractCli(seconds=settings.timeout_seconds, python=settings.sources_python)


def states(settings: Settings) -> StateFile | None:
    """Where figures of files are kept between runs, if they are."""

    from contracts_svc.adapters.state_file import StateFile

    return StateFile(Path(settings.states_file)) if settings.states_file else None


def database(settings: Settings) -> Database:
    """The database of the settings, as it is. Raises UserMistake when its address cannot be read."""
    from contracts_svc.adapters.store.database import Database

    return Database(settings.database_url.get_secret_value())


def reader() -> Reader:
    """Reads contracts, judged by the standard's schemas."""
    from contracts_svc import odcs
    from contracts_svc.adapters.odcs_schemas import PackagedSchemas

    schemas = PackagedSchemas()
    return lambda text, file: odcs.read(text, file, schemas.schema)


def store(settings: Settings) -> DatabaseStore:
    """What the service remembers, its tables seen to. Raises UserMistake, CouldNotCheck."""
    from contracts_svc.adapters.store import schema
    from contracts_svc.adapters.store.store import DatabaseStore

    opened = database(settings)
    schema.ready(opened)
    return DatabaseStore(opened, reader())


def lineage(opened: DatabaseStore) -> StoredLineage:
    """The lineage of a store; the SQL of jobs is followed in a child process. One serves a whole process."""
    from contracts_svc.adapters import openlineage
    from contracts_svc.adapters.sql_process import SqlProcess
    from contracts_svc.flows.stored_lineage import StoredLineage

    return StoredLineage(opened, openlineage.take, openlineage.read_parsed, SqlProcess())


def policies(settings: Settings) -> Policies:
    """The policy of the settings, else the defaults. Raises UserMistake."""
    from contracts_svc.policy import Policies
    from contracts_svc.policy_read import read_policy

    if settings.policy is None:
        return Policies()
    try:
        text = settings.policy.read_bytes()
    except OSError as error:
        raise UserMistake.of(
            f"the policy file {settings.policy} cannot be read: {error.strerror}",
            "name another one in the setting CONTRACTS_POLICY",
        ) from error
    return read_policy(text, str(settings.policy))


def service(
    settings: Settings, *, everyone_may: bool = False, opened: DatabaseStore | None = None
) -> Service:
    """What the API works with. Raises UserMistake, CouldNotCheck.

    ``opened`` is the store where there is one already. ``everyone_may``: nobody has to say who they are.
    For a server that only this machine can reach.
    """
    from contracts_svc.api.service import Service
    from contracts_svc.app_login import login

    opened = opened or store(settings)
    return Service(
        store=opened,
        lineage=lineage(opened),
        read=reader(),
        clock=SystemClock(),
        everyone_may=everyone_may,
        policies=policies(settings),
        patterns=pattern_inclusion,
        login=login(settings),
        session_lasts=timedelta(hours=settings.session_hours),
    )


# --- scheduled runs -------------------------------------------------------------------------------


def queue(settings: Settings) -> Queue:
    """What carries scheduled runs to workers, its tables seen to. Raises UserMistake, CouldNotCheck."""
    from contracts_svc.adapters.queue.inprocess import InProcessQueue

    address = _conninfo(settings)
    if address is None:
        return InProcessQueue()
    from contracts_svc.adapters.queue import procrastinate

    procrastinate.ready(address)
    return procrastinate.ProcrastinateQueue(address)


def prepare_queue(settings: Settings) -> bool:
    """Make the tables of the queue, where it has any; False when they are there. Raises CouldNotCheck."""
    address = _conninfo(settings)
    if address is None:
        return False
    from contracts_svc.adapters.queue import procrastinate

    return procrastinate.prepare(address)


def _conninfo(settings: Settings) -> str | None:
    """The database as libpq names it; None for one of a single process."""
    opened = database(settings)
    if opened.is_sqlite:
        return None
    return opened.url.set(drivername="postgresql").render_as_string(hide_password=False)


def windows(settings: Settings) -> tuple[TimeInterval, ...]:
    """The maintenance windows of the settings. Raises UserMistake."""
    from contracts_svc.errors import UserMistake
    from contracts_svc.schedules_windows import read_windows

    file = settings.maintenance_file
    if file is None:
        return ()
    try:
        text = file.read_bytes()
    except OSError as error:
        raise UserMistake.of(
            f"the file of maintenance windows cannot be read: {error}",
            "correct the setting CONTRACTS_MAINTENANCE_FILE",
        ) from None
    return read_windows(text, str(file))


def keep(settings: Settings) -> Keep:
    """For how long things are kept."""
    from contracts_svc.flows.retention import Keep

    return Keep(
        measurements=timedelta(days=settings.keep_measurements_days),
        runs=timedelta(days=settings.keep_runs_days),
        events=timedelta(days=settings.keep_events_days),
        lineage=timedelta(days=settings.keep_lineage_days),
        messages=timedelta(days=settings.keep_messages_days),
    )


def check_table(
    settings: Settings,
    history: History | None = None,
    states: StateStore | None = None,
    outcomes: Outcomes | None = None,
) -> CheckTable:
    """Checks tables where their servers keep them; ``states`` keeps figures of files between runs,
    ``outcomes`` are told of each."""
    from contracts_svc.flows.check import check
    from contracts_svc.flows.check_places import within
    from contracts_svc.model import Contract, Server, Table
    from contracts_svc.quality.kind import TargetOf
    from contracts_svc.runs import Run
    from contracts_svc.tracing import phases

    def run(
        contract: Contract, table: Table, server: Server, target_of: TargetOf, partition: Mapping[str, str]
    ) -> Run:
        access = s3_access(settings) if server.type == "s3" else None
        files = storage(access)
        with phases() as progress:
            found = check(
                contract,
                table,
                server,
                storage=files,
                engine=engine(settings, access),
                clock=SystemClock(),
                target_of=target_of,
                partition=partition,
                custom=custom_checks(settings.checks_directory, files),
                samples=settings.samples,
                location_of=within(settings.allowed_locations),
                states=states,
                snapshots=snapshots(access),
                elsewhere=other_sources(settings),
                history=history,
                progress=progress,
            )
        for problem in outcomes.tell(contract, table, found) if outcomes is not None else ():
            logging.getLogger(__name__).warning("%s", problem)
        return found

    return run
