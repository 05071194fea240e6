"""Migrations: they build the tables that the code uses, keep every row, and know what they do not know.

Each revision that is added is covered without a new test: the database is filled at every revision,
then brought to the newest, and no value may be lost on the way.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    Column,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    inspect,
    text,
)

from contracts_svc.adapters.store import schema
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.tables import metadata
from contracts_svc.errors import ContractsError, UserMistake
from tests.fixtures_store import BACKENDS, NewUrl

pytestmark = pytest.mark.parametrize("empty_url", BACKENDS, indirect=True)

REVISIONS = [s.revision for s in schema._scripts().walk_revisions()][::-1]
NOW = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def database(empty_url: NewUrl) -> Iterator[Database]:
    opened = Database(empty_url())
    yield opened
    opened.close()


def other_type(context: Any, there: Any, column: Any, found: Any, declared: Any) -> bool:
    """Whether a column has another type in the database than in the code, collations too."""
    as_text = [
        t.compile(dialect=context.dialect).replace("DOUBLE PRECISION", "FLOAT") for t in (found, declared)
    ]
    return as_text[0] != as_text[1]


def test_migrations_build_the_tables_that_the_code_uses(database: Database) -> None:
    schema.upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": other_type})
        assert compare_metadata(context, metadata) == []
        # What the comparison leaves out: checks, and what an index orders by.
        found = {
            (table, check["name"])
            for table in metadata.tables
            for check in inspect(connection).get_check_constraints(table)
        }
    assert found == {("audit", "ck_audit_who")}


# --- every revision with data in it -------------------------------------------------------------


def value_for(column: Column[Any], row: int) -> Any:
    if isinstance(column.type, Integer):
        return row
    if isinstance(column.type, Float):
        return row + 0.5
    if isinstance(column.type, DateTime):
        return NOW.replace(day=row)
    if isinstance(column.type, LargeBinary):
        return f"{column.table.name}.{column.name}.{row}".encode()
    return f"{column.name[:6]}{row}"


def fill(database: Database) -> None:
    """Three rows in every table that there is; row N points at row N of others."""
    there = MetaData()
    there.reflect(database.engine)
    with database.engine.begin() as connection:
        for table in there.sorted_tables:
            if table.name == "alembic_version":
                continue
            rows = [{c.name: value_for(c, n) for c in table.columns} for n in (1, 2, 3)]
            for key in table.foreign_keys:
                for n, row in enumerate(rows, start=1):
                    row[key.parent.name] = value_for(key.column, n)
            for row in rows:
                connection.execute(table.insert(), row)


def contents(database: Database) -> dict[tuple[str, str], list[Any]]:
    """All values, by table and column, in the order of the rows' keys."""
    there = MetaData()
    there.reflect(database.engine)
    there.remove(there.tables["alembic_version"])
    found: dict[tuple[str, str], list[Any]] = {}
    with database.engine.connect() as connection:
        for table in there.sorted_tables:
            rows = connection.execute(table.select().order_by(*table.primary_key)).all()
            for number, column in enumerate(table.columns):
                found[table.name, column.name] = [row[number] for row in rows]
    return found


MOVED: dict[str, set[tuple[str, str]]] = {}
"""Revision -> columns that it takes away; where their values go has a test of its own."""


def lost(database: Database, revision: str) -> set[tuple[str, str]]:
    """What an upgrade to the newest revision from this one, with data in it, does not keep."""
    schema.upgrade(database, revision)
    fill(database)
    before = contents(database)
    assert before
    assert all(len(values) == 3 for values in before.values())
    schema.upgrade(database)
    after = contents(database)
    return {key for key, values in before.items() if after.get(key) != values}


@pytest.mark.parametrize("revision", REVISIONS)
def test_nothing_is_lost_on_the_way_from(database: Database, revision: str) -> None:
    later = REVISIONS[REVISIONS.index(revision) + 1 :]
    assert lost(database, revision) == {c for r in later for c in MOVED.get(r, set())}
    assert schema.status(database).pending == ()


# --- with migrations that are not ours ----------------------------------------------------------

NEXT = """\
'''The next one.'''
from alembic import op
import sqlalchemy as sa
revision, down_revision = "next", "{head}"
def upgrade():
    op.add_column("runs", sa.Column("more", sa.Text()))
    {then}
"""


def add_migration(monkeypatch: pytest.MonkeyPatch, folder: Path, then: str) -> None:
    copied = folder / "migrations"
    shutil.copytree(schema.MIGRATIONS, copied)
    text = NEXT.format(head=REVISIONS[-1], then=then)
    (copied / "versions" / "next.py").write_text(text)
    monkeypatch.setattr(schema, "MIGRATIONS", copied)


def test_a_migration_that_loses_data_would_be_noticed(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    add_migration(monkeypatch, tmp_path, "op.execute(\"UPDATE results SET document = ''\")")
    assert lost(database, REVISIONS[-1]) == {("results", "document")}


REBUILD = """
    with op.batch_alter_table("runs") as batch:
        batch.alter_column("more", new_column_name="most")"""


def test_a_table_that_others_point_at_can_be_built_anew(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    add_migration(monkeypatch, tmp_path, REBUILD)
    assert lost(database, REVISIONS[-1]) == set()
    assert "most" in {c["name"] for c in inspect(database.engine).get_columns("runs")}


def test_a_migration_that_fails_changes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    schema.upgrade(database)
    add_migration(monkeypatch, tmp_path, 'op.drop_table("no_such_table")')
    with pytest.raises((ContractsError, Exception), match="no_such_table"):
        schema.upgrade(database)
    assert schema.status(database).current == REVISIONS[-1]
    assert "more" not in {c["name"] for c in inspect(database.engine).get_columns("runs")}


def test_an_older_database_is_upgraded_or_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    schema.upgrade(database)
    add_migration(monkeypatch, tmp_path, "pass")
    assert schema.status(database).pending == ("next The next one",)
    if database.is_sqlite:
        schema.ready(database)
        assert schema.status(database).current == "next"
        return
    with pytest.raises(UserMistake, match=rf"at revision {REVISIONS[-1]}; this version needs next") as told:
        schema.ready(database)
    assert "contracts db upgrade" in told.value.problems[0].hint
    schema.upgrade(database)
    schema.ready(database)


def test_a_newer_database_is_refused_and_left_alone(database: Database) -> None:
    schema.upgrade(database)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for call in (schema.ready, schema.upgrade):
        with pytest.raises(UserMistake, match="is at revision 9999, which this version") as told:
            call(database)
        assert "install that version of contracts" in told.value.problems[0].hint
    found = schema.status(database)
    assert (found.current, found.newer, found.pending) == ("9999", True, ())


def test_an_empty_database_is_made_ready_or_refused(database: Database) -> None:
    assert schema.status(database).current is None
    assert len(schema.status(database).pending) == len(REVISIONS)
    if database.is_sqlite:
        schema.ready(database)
        assert schema.status(database).pending == ()
        return
    with pytest.raises(UserMistake, match="has no tables yet"):
        schema.ready(database)


def test_two_may_upgrade_at_once(empty_url: NewUrl) -> None:
    url = empty_url()

    def work() -> schema.Status:
        database = Database(url)
        try:
            return schema.upgrade(database)
        finally:
            database.close()

    with ThreadPoolExecutor(2) as threads:
        befores = [f.result() for f in [threads.submit(work) for _ in range(2)]]
    assert sorted(len(b.pending) for b in befores) == [0, len(REVISIONS)]


def test_only_alembic_knows_the_tables_it_made(database: Database) -> None:
    """No table of the database is unknown to the code."""
    schema.upgrade(database)
    there = set(inspect(database.engine).get_table_names())
    assert there - {t.name for t in metadata.tables.values() if isinstance(t, Table)} == {"alembic_version"}
