"""Connections of DuckDB: what they may use, how they reach S3, and which files they may read."""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import duckdb
from sqlglot import exp

from contracts_svc.adapters.engines.duckdb.failures import first_paragraph
from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import DataFile
from contracts_svc.ports import S3Access, Source, reached

WHEEL = "duckdb-extension-httpfs"
REMOTE = "s3://"
_HTTP_SECONDS = 30
_HTTP_RETRIES = 2
MANY_FILES = 2_000
"""Of more, what DuckDB remembers of each would outgrow its memory limit, which does not count it."""


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
    access = reached(access)
    try:
        connection.load_extension(str(httpfs_file()))
    except duckdb.Error as error:
        raise CouldNotCheck(
            "files on S3",
            f"DuckDB refuses the extension of the package {WHEEL}: {first_paragraph(error)}",
            f"pip install --force-reinstall '{WHEEL}=={duckdb.__version__}'",
            retryable=False,
        ) from error
    # Without this, DuckDB takes `*`, `[` and `?` in the names of files for patterns and parameters.
    connection.execute("SET s3_url_compatibility_mode = true")
    # How long a file is and its ETag are asked once; who runs a check compares its files at the end.
    connection.execute("SET enable_http_metadata_cache = true")
    connection.execute("SET http_timeout = ?", [_HTTP_SECONDS])
    connection.execute("SET http_retries = ?", [_HTTP_RETRIES])
    _add_secret(connection, "s3", REMOTE, access)
    for number, (bucket, own) in enumerate(access.buckets.items(), 1):
        _add_secret(connection, f"s3_{number}", f"{REMOTE}{bucket}/", own)


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


def confine(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Let the connection read the files of these sources and nothing else, for good.

    Of a source of very many files, the folder that all of them lie in is what may be read: it is within the
    location of the table. Of very many, neither footers nor parts of files are kept between queries.
    """
    if sum(len(s.files) for s in sources) > MANY_FILES:
        connection.execute("SET parquet_metadata_cache = false")
        connection.execute("SET enable_external_file_cache = false")
    many = [s.files for s in sources if len(s.files) > MANY_FILES]
    few = (s.files for s in sources if len(s.files) <= MANY_FILES)
    _allow(connection, "allowed_paths", {p for files in few for f in files for p in (f.path, readable(f))})
    _allow(connection, "allowed_directories", {p for files in many for p in _folders(files)})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _folders(files: Sequence[DataFile]) -> Iterator[str]:
    """The folder that all of these lie in, as it is written in their addresses."""
    for written in ([f.path for f in files], [readable(f) for f in files]):
        # What the first and the last in order begin with, all do.
        first, last = min(written), max(written)
        alike = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
        yield first[:alike].rpartition("/")[0] + "/"


def _allow(connection: duckdb.DuckDBPyConnection, setting: str, paths: Collection[str]) -> None:
    if paths:
        # Not as a parameter: for a list among those, the driver imports pandas.
        listed = exp.Array(expressions=[exp.Literal.string(p) for p in sorted(paths)])
        item = exp.SetItem(this=exp.EQ(this=exp.to_identifier(setting), expression=listed))
        connection.execute(exp.Set(expressions=[item]).sql(dialect="duckdb"))


def readable(file: DataFile) -> str:
    """The file's address as DuckDB must be given it: on local disks it would take it for a glob."""
    return file.path if file.path.startswith(REMOTE) else glob.escape(file.path)


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
        exp.Array(expressions=[exp.Literal.string(readable(f)) for f in source.files]),
        # Else DuckDB opens all files at first, and keeps what their footers say.
        _named("union_by_name", exp.false() if source.alike else exp.true()),
        _named("hive_partitioning", exp.true() if folders else exp.false()),
    ]
    if partitions:
        arguments.append(_named("hive_types", types))
    return exp.Table(this=exp.Anonymous(this="read_parquet", expressions=arguments))


def _named(name: str, value: exp.Expr) -> exp.Expr:
    return exp.PropertyEQ(this=exp.to_identifier(name), expression=value)
