"""Which tables a database has, and bringing them up to date."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, MetaData, Table, func, inspect, select

from contracts_svc.adapters.store.database import Database
from contracts_svc.errors import UserMistake

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_236_451_908
"""The number of the lock (PostgreSQL) under which tables are changed: any, as long as it stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The revision of a database (None: no tables of ours) and that of this version of the code."""

    current: str | None
    wanted: str
    pending: tuple[str, ...]
    """What is to be applied, in order, as ``0001 The first tables``."""
    newer: bool = False
    """The database is of a later version than the code."""


def status(database: Database) -> Status:
    """How the database stands. Raises CouldNotCheck when it cannot be reached."""
    return _status(None if database.is_missing else database.read(_current))


def upgrade(database: Database, to: str = "head") -> Status:
    """Bring the tables up to date in one transaction, and return how they stood before.

    Several processes may call it at once: one works, the others find the work done. Raises UserMistake
    when the database is newer than the code.
    """
    database.make_folder()
    url = database.url.render_as_string(hide_password=False)
    # SQLite changes a table by building it anew, which foreign keys are in the way of
    # (https://www.sqlite.org/lang_altertable.html#otheralter).
    without_keys = Database(url, foreign_keys=False)
    try:
        return without_keys.write(lambda c: _upgrade(without_keys, c, to))
    finally:
        without_keys.close()


def _upgrade(database: Database, connection: Connection, to: str) -> Status:
    from alembic import command

    if not database.is_sqlite:
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    before = _status(_current(connection))
    _refuse_newer(database, before)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    if database.is_sqlite:
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise RuntimeError(f"the migration leaves a row of {broken[0]} that points at nothing")
    return before


def ready(database: Database) -> None:
    """See that the tables are those of this version of the code; SQLite's are brought up to date.

    Raises UserMistake with the way out when they are not.
    """
    database.make_folder()
    found = status(database)
    _refuse_newer(database, found)
    if not found.pending:
        return
    if not database.is_sqlite:
        stands = "has no tables yet" if found.current is None else f"is at revision {found.current}"
        raise UserMistake.of(
            f"the database {database.name} {stands}; this version needs {found.wanted}",
            "run `contracts db upgrade` once, with a user that may change tables",
        )
    upgrade(database)


def _refuse_newer(database: Database, found: Status) -> None:
    if found.newer:
        raise UserMistake.of(
            f"the database {database.name} is at revision {found.current}, which this version of "
            f"contracts does not know (it knows up to {found.wanted}): a newer version has upgraded it",
            "install that version of contracts or a later one, or restore a backup from before the upgrade",
        )


def _current(connection: Connection) -> str | None:
    # Alembic keeps the revision in this table.
    if not inspect(connection).has_table("alembic_version"):
        return None
    versions = Table("alembic_version", MetaData(), autoload_with=connection)
    found: str | None = connection.scalar(select(versions.c.version_num))
    return found


def _status(current: str | None) -> Status:
    scripts = _scripts()
    head = scripts.get_current_head() or ""
    known = [s.revision for s in scripts.walk_revisions()][::-1]
    if current is not None and current not in known:
        return Status(current=current, wanted=head, pending=(), newer=True)
    left = known if current is None else known[known.index(current) + 1 :]
    return Status(current=current, wanted=head, pending=tuple(f"{r} {_title(scripts, r)}" for r in left))


def _title(scripts: ScriptDirectory, revision: str) -> str:
    script = scripts.get_revision(revision)
    return (script.doc or "").rstrip(".") if script else ""


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())
