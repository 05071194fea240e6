"""Scans on DuckDB: Parquet, CSV and JSON files read where they lie, on S3 and on local disks.

A session may read the files of its sources and nothing else: DuckDB is told the exact list, other
access to files and networks is switched off, and the configuration is locked. SQL that somebody
wrote into a contract can therefore not reach anything that the contract does not name.
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import tempfile
import time as clock
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from threading import Timer
from typing import Any
from uuid import UUID

import duckdb
from sqlglot import exp

from contracts_svc.errors import CouldNotCheck
from contracts_svc.model import Json
from contracts_svc.ports import DataFile, S3Access, Session, Source
from contracts_svc.quality import text_sources
from contracts_svc.quality.reading import FORMATS

WHEEL = "duckdb-extension-httpfs"
FILENAME = "filename"
"""Every source has this column too: the address of the file that a row comes from."""

_REMOTE = "s3://"
_HTTP_SECONDS = 30
_HTTP_RETRIES = 2


class DuckDBEngine:
    """Implements :class:`contracts_svc.ports.Engine`.

    ``access`` is how S3 is reached: None means that no S3 file can be, and empty keys mean anonymous
    access, for public buckets. ``memory_limit`` is DuckDB's (``512MB``); what does not fit is spilled to
    a folder of the session in ``temp_directory`` (by default the system's), which is removed at its end;
    one of a process that was killed, by the next session. ``threads`` is by default the number of cores.
    ``timeout`` is in seconds, per query; None is no bound.
    """

    def __init__(
        self,
        access: S3Access | None = None,
        *,
        memory_limit: str = "512MB",
        threads: int | None = None,
        temp_directory: str | None = None,
        timeout: float | None = None,
    ) -> None:
        self._access = access
        self._memory_limit = memory_limit
        self._threads = threads
        self._temp_directory = temp_directory
        self._timeout = timeout

    def open(self, sources: Sequence[Source]) -> AbstractContextManager[Session]:
        """Make these sources known under their names for the length of a ``with`` block.

        Raises CouldNotCheck where S3 cannot be read at all. A source that cannot be read (files gone,
        access denied, a damaged file) is an error of the queries that name it, and of no others.
        """
        return self._session(tuple(sources))

    @contextmanager
    def _session(self, sources: tuple[Source, ...]) -> Iterator[Session]:
        with ExitStack() as stack:
            connection = stack.enter_context(self._connect(stack))
            files = [f for s in sources for f in s.files]
            if any(f.path.startswith(_REMOTE) for f in files):
                reach_s3(connection, self._access)
            _confine(connection, files)
            yield _DuckDBSession(connection, sources, self._access, self._timeout)

    def _connect(self, stack: ExitStack) -> duckdb.DuckDBPyConnection:
        parent = Path(self._temp_directory or tempfile.gettempdir())
        try:
            spill = stack.enter_context(spill_folder(parent))
        except OSError as error:
            raise CouldNotCheck(f"the temporary folder {parent}", str(error), "name another one") from error
        return connect(memory_limit=self._memory_limit, temp_directory=str(spill), threads=self._threads)


_SPILL, _LOCK = "contracts-spill-", ".lock"
_NEW_SECONDS = 60
"""A lock so young may not be held yet by the process that makes it."""


@contextmanager
def spill_folder(parent: Path) -> Iterator[Path]:
    """A folder that is there for the length of the block, and is known as abandoned if its process dies.

    A lock tells, and not the id of the process: other machines and containers may share the parent.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent)
    handle, name = tempfile.mkstemp(prefix=_SPILL, suffix=_LOCK, dir=parent)
    lock, folder = Path(name), Path(name.removesuffix(_LOCK))
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(handle)


def _sweep(parent: Path) -> None:
    """Remove what processes left behind that were killed."""
    for lock in parent.glob(f"{_SPILL}*{_LOCK}"):
        with suppress(OSError):
            if clock.time() - lock.stat().st_mtime < _NEW_SECONDS:
                continue
            handle = os.open(lock, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(str(lock).removesuffix(_LOCK), ignore_errors=True)
                lock.unlink(missing_ok=True)
            finally:
                os.close(handle)


def connect(
    *, memory_limit: str, temp_directory: str, threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """A new in-memory DuckDB that fetches no extensions and sees no Python variables."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "python_enable_replacements": False,
        "memory_limit": memory_limit,
        "temp_directory": temp_directory,
    }
    if threads is not None:
        config["threads"] = threads
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET TimeZone = 'UTC'")
    # Else a query of more than two seconds draws one on the standard output, into the JSON there.
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET parquet_metadata_cache = true")
    # Shapes are bytes to us; with this on, wrong metadata about them hides all other columns too.
    connection.execute("SET enable_geoparquet_conversion = false")
    return connection


def httpfs_file() -> Path:
    """The httpfs extension in the installed wheel. Raises CouldNotCheck where it is missing."""
    spec = find_spec("duckdb_extension_httpfs")
    roots = list(spec.submodule_search_locations or ()) if spec else []
    command = f"pip install '{WHEEL}=={duckdb.__version__}'"
    if not roots:
        raise CouldNotCheck("files on S3", f"the package {WHEEL} is not installed", command, retryable=False)
    folder = Path(roots[0]) / "extensions"
    file = folder / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
    if not file.is_file():
        there = ", ".join(sorted(p.name for p in folder.glob("v*"))) or "no version"
        raise CouldNotCheck(
            "files on S3",
            f"the package {WHEEL} holds the extension for {there}, but duckdb is v{duckdb.__version__}",
            command,
            retryable=False,
        )
    return file


def reach_s3(connection: duckdb.DuckDBPyConnection, access: S3Access | None) -> None:
    """Load httpfs from its wheel and give the connection its credentials. Raises CouldNotCheck."""
    if access is None:
        raise CouldNotCheck(
            "files on S3", "no access to S3 is configured", "set the S3 settings", retryable=False
        )
    try:
        connection.load_extension(str(httpfs_file()))
    except duckdb.Error as error:
        raise CouldNotCheck(
            "files on S3",
            f"DuckDB refuses the extension of the package {WHEEL}: {_first_paragraph(error)}",
            f"pip install --force-reinstall '{WHEEL}=={duckdb.__version__}'",
            retryable=False,
        ) from error
    # Without this, DuckDB takes `*`, `[` and `?` in the names of files for patterns and parameters.
    connection.execute("SET s3_url_compatibility_mode = true")
    connection.execute("SET http_timeout = ?", [_HTTP_SECONDS])
    connection.execute("SET http_retries = ?", [_HTTP_RETRIES])
    _add_secret(connection, "s3", _REMOTE, access)
    for number, (bucket, own) in enumerate(access.buckets.items(), 1):
        _add_secret(connection, f"s3_{number}", f"{_REMOTE}{bucket}/", own)


def _add_secret(connection: duckdb.DuckDBPyConnection, name: str, scope: str, access: S3Access) -> None:
    scheme, _, host = access.endpoint.rpartition("://")
    # Bound values, so that no text with a secret in it ever exists.
    connection.execute(
        f"CREATE SECRET {name} (TYPE s3, SCOPE $scope, KEY_ID $key, SECRET $secret, SESSION_TOKEN $token,"
        " REGION $region, ENDPOINT $endpoint, URL_STYLE $style, USE_SSL $tls)",
        {
            "scope": scope,
            "key": access.access_key,
            "secret": access.secret_key,
            "token": access.session_token,
            "region": access.region,
            "endpoint": host or f"s3.{access.region}.amazonaws.com",
            "style": "path" if access.path_style else "vhost",
            "tls": scheme != "http",
        },
    )


def _confine(connection: duckdb.DuckDBPyConnection, files: Sequence[DataFile]) -> None:
    paths = sorted({p for f in files for p in (f.path, _readable(f))})
    # Not as a parameter: for a list among those, the driver imports pandas.
    listed = exp.Array(expressions=[exp.Literal.string(p) for p in paths])
    item = exp.SetItem(this=exp.EQ(this=exp.to_identifier("allowed_paths"), expression=listed))
    connection.execute(exp.Set(expressions=[item]).sql(dialect="duckdb"))
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _readable(file: DataFile) -> str:
    """The file's address as DuckDB must be given it: on local disks it would take it for a glob."""
    return file.path if file.path.startswith(_REMOTE) else glob.escape(file.path)


class _DuckDBSession:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        sources: Sequence[Source],
        access: S3Access | None,
        timeout: float | None,
    ) -> None:
        self._connection = connection
        self._access = access
        self._timeout = timeout
        self._unreadable: dict[str, CouldNotCheck] = {}
        self._alone: dict[str, str] = {}
        self._waiting: dict[str, Source] = {}
        for source in sources:
            self.add(source)

    def add(self, source: Source) -> None:
        """Make one more source known; what is wrong with it, queries of it tell."""
        self._waiting[source.name] = source
        if len(source.files) == 1:
            self._alone[source.name] = source.files[0].path

    def rows(self, query: exp.Query) -> list[dict[str, Json]]:
        """Run one query over the sources; the values are those of JSON. Raises CouldNotCheck.

        Dates, times, UUIDs and intervals come as text (ISO 8601, UTC where they have a zone), decimals
        as int or float, bytes as hexadecimal text.
        """
        names = list(dict.fromkeys(t.name for t in query.find_all(exp.Table)))
        for name in tuple(self._waiting) if text_sources.REJECTS in names else names:
            self._see(name)
        for name in names:
            if name in self._unreadable:
                raise self._unreadable[name]
        alone = [self._alone[name] for name in names if name in self._alone]
        if text_sources.REJECTS in names and self._unreadable:
            raise next(iter(self._unreadable.values()))
        try:
            columns, rows = self._execute(", ".join(names) or "query", query)
        except CouldNotCheck as error:
            raise _in_file(error, alone) from error
        return [dict(zip(columns, map(_json, row), strict=True)) for row in rows]

    def _see(self, name: str) -> None:
        """Open a source when it is first asked for: to look at all of its files takes its time."""
        source = self._waiting.pop(name, None)
        if source is not None:
            try:
                self._make_view(source)
            except CouldNotCheck as error:
                self._unreadable[name] = error

    def _make_view(self, source: Source) -> None:
        if source.reading.format not in FORMATS:
            what = f"DuckDB is not used for the format {source.reading.format}"
            raise CouldNotCheck(source.name, what, retryable=False)
        if not source.files:
            raise CouldNotCheck(source.name, "there are no files", "publish it, or check its location")
        # DuckDB takes a local file that is not there for a folder, and says that it may not look into it.
        for file in source.files:
            if not file.path.startswith(_REMOTE) and not Path(file.path).is_file():
                raise CouldNotCheck(source.name, f"not found: {file.path}", _GONE)
        view = exp.Create(
            this=exp.to_table(exp.to_identifier(source.name, quoted=True).sql("duckdb"), dialect="duckdb"),
            kind="VIEW",
            expression=self._text(source) if source.reading.text else self._parquet(source),
        )
        self._execute(source.name, view)

    def _parquet(self, source: Source) -> exp.Query:
        columns: list[exp.Expr] = [exp.Star()]
        if not self._has_filename(source):
            columns.append(exp.column(FILENAME))
        return exp.select(*columns).from_(read_parquet(source))

    def _text(self, source: Source) -> exp.Query:
        folders = {key for file in source.files for key in file.partition}
        return text_sources.select(
            files=source.files,
            reading=source.reading,
            names=source.names,
            columns=source.columns,
            partitions={k: t for k, t in source.partition_types.items() if k in folders},
            address=_readable,
        )

    def _has_filename(self, source: Source) -> bool:
        """Whether the files have a column of that name themselves; theirs then wins."""
        described = exp.Describe(this=exp.select("*").from_(read_parquet(source)))
        return any(row[0].lower() == FILENAME for row in self._execute(source.name, described)[1])

    def _execute(self, what: str, statement: exp.Expr) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and the rows."""
        timer = Timer(self._timeout, self._connection.interrupt) if self._timeout else None
        try:
            if timer:
                timer.daemon = True
                timer.start()
            cursor = self._connection.execute(statement.sql(dialect="duckdb"))
            return [d[0] for d in cursor.description or ()], cursor.fetchall()
        except duckdb.Error as error:
            raise self._failure(what, error) from error
        finally:
            if timer:
                timer.cancel()

    def _failure(self, what: str, error: duckdb.Error) -> CouldNotCheck:
        cause, hint, retryable = _classify(error, self._timeout)
        scrub = self._access.scrub if self._access else str
        return CouldNotCheck(what, scrub(cause), hint, retryable=retryable)


def _in_file(error: CouldNotCheck, alone: Sequence[str]) -> CouldNotCheck:
    """The error with the file in it, where there is but one; DuckDB does not always name it."""
    if len(alone) != 1 or alone[0] in error.cause or not error.cause.startswith("not a Parquet file"):
        return error
    cause = f"{error.cause} (in {alone[0]})"
    return CouldNotCheck(error.what, cause, error.hint, retryable=error.retryable)


def read_parquet(source: Source) -> exp.Table:
    """What stands for a source in the FROM of a query: exactly its files, read in place."""
    folders = {key for file in source.files for key in file.partition}
    partitions = {k: t for k, t in source.partition_types.items() if k in folders}
    types = exp.Struct(
        expressions=[
            exp.PropertyEQ(
                this=exp.Literal.string(name), expression=exp.DataType.build(type_, dialect="duckdb")
            )
            for name, type_ in partitions.items()
        ]
    )
    arguments: list[exp.Expr] = [
        exp.Array(expressions=[exp.Literal.string(_readable(f)) for f in source.files]),
        _named("union_by_name", exp.true()),
        _named("hive_partitioning", exp.true() if folders else exp.false()),
    ]
    if partitions:
        arguments.append(_named("hive_types", types))
    return exp.Table(this=exp.Anonymous(this="read_parquet", expressions=arguments))


def _named(name: str, value: exp.Expr) -> exp.Expr:
    return exp.PropertyEQ(this=exp.to_identifier(name), expression=value)


def _first_paragraph(error: Exception) -> str:
    return " ".join(str(error).split("\n\n")[0].split())


_QUERY = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.TypeMismatchException,
)
_DENIED = (401, 403)
_DAMAGED = (
    "magic bytes", "too small to be a parquet", "tprotocol", "corrupt", "decompress", "footer",
    "out of buffer",
)  # fmt: skip
_GONE = "check the location, or that the file was not removed meanwhile"


def _classify(error: duckdb.Error, timeout: float | None) -> tuple[str, str, bool]:
    """Cause, hint and whether trying again can help."""
    text = _first_paragraph(error)
    low = text.lower()
    match error:
        case duckdb.HTTPException() if error.status_code in _DENIED:
            hint = "check the S3 access key and secret key, and that they may read this bucket"
            return f"access denied: {text}", hint, False
        case duckdb.HTTPException() if error.status_code == 404:
            return f"not found: {text}", _GONE, True
        case duckdb.HTTPException():
            return f"the S3 server could not answer: {text}", "", True
        case duckdb.InterruptException():
            bound = f"took longer than {timeout:g} s" if timeout else "was interrupted"
            return f"the query {bound}", "allow more time, or check fewer partitions at once", True
        case duckdb.OutOfMemoryException():
            return f"out of memory: {text}", "raise the memory limit, or free space to spill to", False
        case duckdb.PermissionException():
            return f"the query reads what its contract does not name: {text}", "", False
        case _ if isinstance(error, _QUERY):
            return f"the query does not fit the data: {text}", "", False
        case _ if "unsupported compression codec" in low:
            return f"a compression that is not read: {text}", "write it with zstd or snappy", False
        case _ if "is not valid utf8" in low:
            hint = "write the text as UTF-8, or promise bytes (format binary)"
            return f"text that is not UTF-8: {text}", hint, False
        case _ if any(sign in low for sign in _DAMAGED):
            return f"not a Parquet file, or a damaged one: {text}", "write the file again", False
        case duckdb.IOException():
            return f"reading failed: {text}", "check the S3 endpoint and the network", True
    return text, "", False


def _json(value: Any) -> Json:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta() | UUID():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case Mapping():
            return {str(_json(k)): _json(v) for k, v in value.items()}
        case list() | tuple():
            return [_json(v) for v in value]
    return str(value)
