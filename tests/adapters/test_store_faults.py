"""What goes wrong: killed writers, locked files, lost deadlocks, servers that are away."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, column, func, select, table

from contracts_svc.adapters.store import database as database_module
from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store.database import ATTEMPTS, Database, parse
from contracts_svc.adapters.store.part import note
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.ports_store import SERVICE
from tests.adapters.test_store_contracts import NOW, put, text_of
from tests.fixtures_store import Postgres, read_contract
from tests.support import ROOT

# Registers versions 1, 2, 3 ... and tells each one after it is kept; in the middle of a transaction, which
# is most of the time, it is killed.
WRITER = """
import sys
from itertools import count
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from tests.adapters.test_store_contracts import NOW, put
from tests.fixtures_store import read_contract
store = DatabaseStore(Database(sys.argv[1]), read_contract)
for n in count(1):
    put(store, f"1.0.{n}")
    print(n, flush=True)
"""
IN_THE_MIDDLE = """
import os, signal, sys
from contracts_svc.adapters.store import contracts
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from tests.adapters.test_store_contracts import put
from tests.fixtures_store import read_contract
store = DatabaseStore(Database(sys.argv[1]), read_contract)
put(store, "1.0.1")
print(1, flush=True)
def work():
    put(store, "1.0.2")
    os.kill(os.getpid(), signal.SIGKILL)
store.atomically(work)
"""


def consistent(store: DatabaseStore, told: list[int]) -> list[str]:
    """The versions that are kept: all that were told of, each with its audit entry."""
    kept = [c.version for c in store.versions("urn:flights")]
    assert kept == [f"1.0.{n}" for n in range(1, len(kept) + 1)]
    assert len(kept) >= len(told)
    assert [e.detail["version"] for e in store.audit(limit=10_000)] == kept
    assert [r.version for r in store.list_contracts()] == kept[-1:]
    return kept


def child(program: str, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program, url], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_killed_writer_loses_nothing_that_it_told_of(store: DatabaseStore, store_url: str) -> None:
    with child(WRITER, store_url) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(20)]
        writer.kill()
        told += [int(line) for line in writer.stdout]
    assert writer.returncode == -signal.SIGKILL
    kept = consistent(store, told)
    assert len(kept) - len(told) in (0, 1)
    assert put(store, f"1.0.{len(kept) + 1}") is True


def test_a_writer_that_is_killed_inside_a_transaction_leaves_nothing_of_it(
    store: DatabaseStore, store_url: str
) -> None:
    with child(IN_THE_MIDDLE, store_url) as writer:
        told, _ = writer.communicate()
    assert (told, writer.returncode) == ("1\n", -signal.SIGKILL)
    assert consistent(store, [1]) == ["1.0.1"]


def test_two_who_register_the_same_version_at_once(store: DatabaseStore, store_url: str) -> None:
    """One is new, the others are told that it is there; with other bytes, they are refused."""
    outcomes: list[object] = []
    barrier = threading.Barrier(4)

    def work(more: str) -> None:
        own = DatabaseStore(Database(store_url), read_contract)
        barrier.wait()
        try:
            outcomes.append(put(own, "1.0.0", more=more))
        except UserMistake:
            outcomes.append("refused")
        own.close()

    threads = [threading.Thread(target=work, args=(m,)) for m in ("", "", "domain: x\n", "domain: x\n")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["False", "True", "refused", "refused"]
    assert len(store.audit()) == 1


def count_audit(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(tables.audit)) or 0


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_deadlock_is_tried_again(store_url: str) -> None:
    database = Database(store_url)
    store = DatabaseStore(database, read_contract)
    for id_ in ("a", "b"):
        put(store, "1", id_)
    barrier = threading.Barrier(2, timeout=20)
    met = threading.local()

    def locks(first: str, second: str) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            there = tables.contracts
            connection.execute(select(there).where(there.c.contract == first).with_for_update())
            if not getattr(met, "done", False):
                met.done = True
                barrier.wait()
            connection.execute(select(there).where(there.c.contract == second).with_for_update())
            note(connection, NOW, SERVICE, "locked", "contract", first)

        return work

    threads = [threading.Thread(target=database.write, args=(locks(*p),)) for p in ("ab", "ba")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.read(count_audit) == 2 + 2
    store.close()


def test_a_locked_file_is_waited_for_a_bounded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0)
    monkeypatch.setattr(database_module, "_FIRST_PAUSE", 0.0001)
    path = tmp_path / "contracts.db"
    database = Database(f"sqlite:///{path}")
    tables.metadata.create_all(database.engine)
    blocker = sqlite3.connect(path)
    blocker.execute("BEGIN IMMEDIATE")
    tries = []
    with pytest.raises(CouldNotCheck, match="database is locked"):
        database.write(lambda c: tries.append(count_audit(c)))
    assert tries == []
    assert ATTEMPTS > 1
    # Readers go on beside a writer.
    assert database.read(count_audit) == 0
    blocker.rollback()
    blocker.close()
    database.write(lambda c: tries.append(count_audit(c)))
    assert tries == [0]
    database.close()


def test_a_server_that_is_away_is_told_without_the_password() -> None:
    database = Database("postgresql://ada:s3cr3tword@127.0.0.1:1/contracts")
    with pytest.raises(CouldNotCheck) as told:
        database.read(count_audit)
    assert "127.0.0.1" in str(told.value)
    assert told.value.retryable
    assert "s3cr3tword" not in f"{told.value} {database.name} {database.url!r}"


@pytest.mark.parametrize("url", ["mysql://a:s3cr3tword@h/x", "s3cr3tword", "", "sqlite+aiosqlite:///x"])
def test_addresses_that_cannot_be_used(url: str) -> None:
    with pytest.raises(UserMistake, match="write sqlite:///path") as told:
        parse(url)
    assert "s3cr3tword" not in str(told.value)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_connections_that_the_server_has_ended_are_made_anew(postgres: Postgres, store_url: str) -> None:
    store = DatabaseStore(Database(store_url), read_contract)
    put(store, "1.0.0")
    other = Database(postgres.url("postgres"))
    ours = column("datname") == store.database.url.database
    pids = select(func.pg_terminate_backend(column("pid"))).select_from(table("pg_stat_activity")).where(ours)
    assert other.read(lambda c: c.scalars(pids).all()) == [True]
    assert put(store, "1.0.1") is True
    assert len(store.versions("urn:flights")) == 2
    store.close()
    other.close()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"hello" * 1000)
    with pytest.raises(CouldNotCheck, match="file is not a database"):
        Database(f"sqlite:///{tmp_path}/x.db").read(count_audit)


def test_a_full_disk_is_told_and_nothing_is_half_kept(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/contracts.db")
    tables.metadata.create_all(database.engine)
    store = DatabaseStore(database, read_contract)
    put(store, "1.0.0")

    def fill(connection: Connection) -> None:
        # The largest file that SQLite may make is the one that is there.
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        text = text_of("1.0.1", more=f"domain: {'x' * 100_000}\n")
        store.put_contract(read_contract(text, "f.yaml"), text, NOW, SERVICE)

    with pytest.raises(CouldNotCheck, match="full"):
        database.write(fill)
    assert [c.version for c in store.versions("urn:flights")] == ["1.0.0"]
    assert len(store.audit()) == 1
    store.close()


def test_foreign_keys_are_on(store: DatabaseStore) -> None:
    row = {"run_id": "none", "number": 1, "check": "c", "outcome": "passed", "document": "{}"}
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        store.database.write(lambda c: c.execute(tables.results.insert(), row))


def test_sqlite_is_in_wal_mode_and_syncs_every_commit(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/contracts.db")

    def pragmas(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [connection.exec_driver_sql(f"PRAGMA {n}").scalar() for n in names]

    assert database.read(pragmas) == ["wal", 2, 1, database_module.BUSY_SECONDS * 1000]
    database.close()
    assert os.path.exists(tmp_path / "contracts.db")
