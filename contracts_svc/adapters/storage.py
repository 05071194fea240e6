"""Listing files and reading Parquet footers with pyarrow, on S3 and on local disks."""

from __future__ import annotations

import errno
import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache, partial
from typing import Any, BinaryIO
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from sqlglot import exp

from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.files import PARQUET, Bound, Bounds, Reading
from contracts_svc.ports import DataFile, Footer, S3Access, StoredColumn
from contracts_svc.quality import heads

S3_SCHEMES = ("s3", "s3a", "s3n")
CONNECT_SECONDS = 3
REQUEST_SECONDS = 10
ATTEMPTS = 2
PARALLEL_FOOTERS = 16
_TAIL_BYTES = 64
_COMPRESSIONS = {"gz": "gzip", "zst": "zstd", "bz2": "bz2"}


@dataclass(frozen=True, slots=True)
class _Place:
    """A parsed location. ``prefix`` + ``path`` is an address; pyarrow wants only ``path``."""

    remote: bool
    path: str
    """``bucket/key`` on S3, an absolute path on disk; globs still in it."""

    @property
    def prefix(self) -> str:
        return "s3://" if self.remote else ""

    @property
    def bucket(self) -> str:
        return self.path.partition("/")[0] if self.remote else ""

    @property
    def base(self) -> str:
        """The longest folder before the first wildcard."""
        fixed = re.split(r"[*?\[]", self.path, maxsplit=1)[0]
        return fixed.rpartition("/")[0] or ("" if self.remote else "/")

    @property
    def is_glob(self) -> bool:
        return re.search(r"[*?\[]", self.path) is not None


class ArrowStorage:
    """Implements :class:`contracts_svc.ports.Storage`.

    ``access`` is how S3 is reached: None means that no S3 location can be, and empty keys mean
    anonymous access, for public buckets. An endpoint that is down is given up on within ten seconds.
    """

    def __init__(self, access: S3Access | None = None) -> None:
        self._access = access

    def files(self, location: str) -> tuple[DataFile, ...]:
        """The files that match, sorted by address; none is an empty tuple.

        A location is a file, a folder (everything below it), or a glob: ``*`` and ``?`` stay within
        one name, ``[ab]`` is one of these characters, ``**`` is any number of folders. Below the
        fixed part of a location, names that begin with ``.`` or ``_`` are left out, as Spark and Hive
        do (``_SUCCESS``, ``_temporary/``); a partition folder ``_day=1`` is not such a name.
        Raises UserMistake for a location that cannot be read, CouldNotCheck when it cannot be reached.
        """
        place = _parse(location)
        try:
            found = list(self._list(place))
            bucket_missing = not found and place.remote and not self._bucket_exists(place.bucket)
        except OSError as error:
            raise self._failure(location, error, place.bucket) from error
        if bucket_missing:
            raise CouldNotCheck(location, *_no_bucket(place.bucket), retryable=False)
        return tuple(sorted((_data_file(place.prefix, i) for i in found), key=lambda f: f.path))

    def footers(
        self, files: Sequence[DataFile], reading: Reading = PARQUET, columns: Collection[str] = ()
    ) -> tuple[Footer, ...]:
        """What these files say of themselves, in the same order, read in parallel.

        ``columns`` are the top-level columns, by any case of their names, whose bounds are wanted. Of CSV
        and JSON files (``.gz``, ``.zst`` and ``.bz2`` are decompressed) that is their first megabyte.
        Raises CouldNotCheck.
        """
        if not files:
            return ()
        pool = ThreadPoolExecutor(min(PARALLEL_FOOTERS, len(files)))
        try:
            names = frozenset(c.casefold() for c in columns)
            read = (
                partial(self._head, reading=reading) if reading.text else partial(self._footer, names=names)
            )
            return tuple(pool.map(read, files))
        finally:
            pool.shutdown(cancel_futures=True)

    def open(self, file: DataFile) -> BinaryIO:
        """The bytes of a file, seekable. Raises CouldNotCheck."""
        place = _parse(file.path)
        try:
            stream: BinaryIO = self._system(place).open_input_file(place.path)
        except OSError as error:
            raise self._failure(file.path, error, place.bucket) from error
        return stream

    def _list(self, place: _Place) -> Iterator[pafs.FileInfo]:
        system = self._system(place)
        if place.is_glob:
            top, wanted = place.base, re.compile(glob_pattern(place.path))
        else:
            top, wanted = place.path.rstrip("/"), None
            info = system.get_file_info(top) if top else None
            if info is not None and info.type == pafs.FileType.File:
                yield info
                return
        selector = pafs.FileSelector(top, recursive=True, allow_not_found=True)
        for info in system.get_file_info(selector):
            below = info.path[len(top) :].strip("/")
            if info.type != pafs.FileType.File or _hidden(below):
                continue
            if wanted is None or wanted.fullmatch(info.path):
                yield info

    def _bucket_exists(self, bucket: str) -> bool:
        """Tells "no files" from "no bucket": pyarrow lists nothing for either."""
        return bool(self._s3.get_file_info(bucket).type != pafs.FileType.NotFound)

    def _footer(self, file: DataFile, *, names: frozenset[str]) -> Footer:
        place = _parse(file.path)
        try:
            # Opened through the file system here: given a path, pyarrow would ask for its kind first.
            with self._system(place).open_input_file(place.path) as stream:
                metadata = pq.ParquetFile(stream).metadata
            columns = tuple(stored_columns(metadata.schema))
            bounds = dict(column_bounds(metadata, names)) if names else {}
        except (pa.ArrowException, OSError, ValueError, TypeError) as error:
            raise self._failure(file.path, error, place.bucket) from error
        return Footer(file=file, rows=metadata.num_rows, columns=columns, bounds=bounds)

    def _head(self, file: DataFile, *, reading: Reading) -> Footer:
        place = _parse(file.path)
        try:
            compression = _COMPRESSIONS.get(place.path.rpartition(".")[2].lower())
            with self._system(place).open_input_stream(place.path, compression=compression) as stream:
                head = stream.read(heads.BYTES + 1)
            whole = len(head) <= heads.BYTES
            tail = head if whole else self._tail(place, file.size) if compression is None else b"]"
            if heads.is_cut_off(head, tail, reading):
                raise heads.NoHead("its JSON array does not end: the file is cut off")
            names, complete = heads.columns(head[: heads.BYTES], reading, whole=whole)
        except heads.NoHead as error:
            raise CouldNotCheck(file.path, str(error), "write the file again", retryable=False) from error
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._failure(file.path, error, place.bucket, "compressed") from error
        columns = tuple(StoredColumn(name=n, type="VARCHAR") for n in names)
        return Footer(file=file, rows=None, columns=columns, complete=complete)

    def _tail(self, place: _Place, size: int) -> bytes:
        with self._system(place).open_input_file(place.path) as stream:
            return bytes(stream.read_at(_TAIL_BYTES, max(0, size - _TAIL_BYTES)))

    def _system(self, place: _Place) -> pafs.FileSystem:
        return self._s3 if place.remote else self._local

    @cached_property
    def _local(self) -> pafs.FileSystem:
        return pafs.LocalFileSystem()

    @cached_property
    def _s3(self) -> pafs.FileSystem:
        access = self._access
        if access is None:
            raise CouldNotCheck(
                "files on S3", "no access to S3 is configured", "set the S3 settings", retryable=False
            )
        scheme, _, host = access.endpoint.rpartition("://")
        return pafs.S3FileSystem(
            access_key=access.access_key or None,
            secret_key=access.secret_key or None,
            session_token=access.session_token or None,
            anonymous=not access.access_key,
            region=access.region,
            scheme=scheme or "https",
            endpoint_override=host or None,
            force_virtual_addressing=bool(host) and not access.path_style,
            connect_timeout=CONNECT_SECONDS,
            request_timeout=REQUEST_SECONDS,
            retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        )

    def _failure(self, what: str, error: Exception, bucket: str, kind: str = "Parquet") -> CouldNotCheck:
        text = self._access.scrub(str(error)) if self._access else str(error)
        cause, hint, retryable = _classify(error, text, bucket, kind)
        return CouldNotCheck(what, cause, hint, retryable=retryable)


_DENIED = re.compile(
    r"AWS Error (ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH)|HTTP status 403"
)
_UNREACHABLE = re.compile(r"AWS Error (NETWORK_CONNECTION|REQUEST_TIMEOUT)|curlCode")


def _classify(error: Exception, text: str, bucket: str, kind: str) -> tuple[str, str, bool]:
    """Cause, hint and whether trying again can help."""
    if "NO_SUCH_BUCKET" in text:
        return *_no_bucket(bucket), False
    if _DENIED.search(text):
        return (
            f"access denied: {text}",
            "check the S3 access key and secret key, and that they may list and read this bucket",
            False,
        )
    if _UNREACHABLE.search(text):
        return f"the S3 server did not answer: {text}", "check the S3 endpoint and the network", True
    if isinstance(error, FileNotFoundError):
        return "the file is gone", "it was there when the folder was listed: check again", True
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
        return f"access denied: {text}", "check the permissions of the file and its folders", False
    if "AWS Error" in text or (isinstance(error, OSError) and error.errno is not None):
        return text, "", True
    return f"not a {kind} file, or a damaged one: {text}", "write the file again", False


def _no_bucket(bucket: str) -> tuple[str, str]:
    return f"the bucket {bucket} does not exist", "check the location and the S3 endpoint"


def _parse(location: str) -> _Place:
    scheme, separator, rest = location.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return _Place(False, _absolute(location))
    if scheme in S3_SCHEMES:
        path = rest.lstrip("/")
        if not path.partition("/")[0] or re.search(r"[*?\[]", path.partition("/")[0]):
            raise UserMistake.of(
                f"the location {location} names no bucket", "write s3://bucket/folder/*.parquet"
            )
        return _Place(True, path)
    if scheme == "file":
        return _Place(False, _absolute("/" + unquote(rest.partition("/")[2])))
    raise UserMistake.of(
        f"the location {location} has a scheme that cannot be read", "s3://, file:// and local paths can"
    )


def _absolute(path: str) -> str:
    # Not resolved: a link stays the link, so that addresses look as the user wrote them.
    folder = "/" if path.endswith("/") else ""
    return os.path.abspath(path).replace(os.sep, "/").rstrip("/") + folder


def glob_pattern(glob: str) -> str:
    """The regular expression of a glob over whole paths."""
    out = ""
    for token in re.findall(r"/\*\*(?=/)|\*+|\?|\[[^]]+\]|.", glob, re.DOTALL):
        if token == "/**":
            out += "(?:/.*)?"
        elif token.startswith("**"):
            out += ".*"
        elif token == "*":
            out += "[^/]*"
        elif token == "?":
            out += "[^/]"
        elif len(token) > 1:
            body = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            out += f"[^{body[1:]}]" if body[0] == "!" else f"[{body}]"
        else:
            out += re.escape(token)
    return out


def _hidden(below: str) -> bool:
    """Whether a path below a location is one that Spark and Hive leave out."""
    *folders, name = below.split("/")
    return name.startswith((".", "_")) or any(
        f.startswith(".") or (f.startswith("_") and "=" not in f) for f in folders
    )


def _data_file(prefix: str, info: pafs.FileInfo) -> DataFile:
    return DataFile(
        path=prefix + info.path,
        size=info.size or 0,
        version=f"{info.mtime_ns or 0}-{info.size or 0}",
        modified=info.mtime,
        partition=hive_partition(info.path),
    )


def hive_partition(path: str) -> Mapping[str, str]:
    """The Hive ``key=value`` folders of a path, in order, values URL-decoded."""
    pairs = (f.partition("=") for f in path.split("/")[:-1])
    return {unquote(key): unquote(value) for key, equals, value in pairs if key and equals}


def stored_columns(schema: pq.ParquetSchema) -> Iterator[StoredColumn]:
    """The top-level columns of a Parquet schema, their types as DuckDB reads and writes them.

    Arrow's reading of the schema gives the nesting; the types of the leaves are Parquet's own, since
    Arrow restores types that only Arrow wrote down (a dictionary, a duration) and other engines do
    not see.
    """
    leaves = (schema.column(i) for i in range(len(schema)))
    for field in schema.to_arrow_schema():
        yield StoredColumn(name=field.name, type=_type(field.type, leaves), nullable=field.nullable)


def _type(arrow: pa.DataType, leaves: Iterator[pq.ColumnSchema]) -> str:
    if isinstance(arrow, pa.BaseExtensionType):
        arrow = arrow.storage_type
    if pa.types.is_map(arrow):
        key = _type(arrow.key_type, leaves)
        return f"MAP({key}, {_type(arrow.item_type, leaves)})"
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow) or pa.types.is_fixed_size_list(arrow):
        return f"{_type(arrow.value_type, leaves)}[]"
    if pa.types.is_struct(arrow):
        fields = (arrow.field(i) for i in range(arrow.num_fields))
        inner = ", ".join(
            f"{exp.to_identifier(f.name).sql('duckdb')} {_type(f.type, leaves)}" for f in fields
        )
        return f"STRUCT({inner})"
    return _leaf(next(leaves))


_PHYSICAL = {
    "BOOLEAN": "BOOLEAN",
    "INT32": "INTEGER",
    "INT64": "BIGINT",
    "INT96": "TIMESTAMP",
    "FLOAT": "FLOAT",
    "DOUBLE": "DOUBLE",
    "BYTE_ARRAY": "BLOB",
    "FIXED_LEN_BYTE_ARRAY": "BLOB",
}
_LOGICAL = {
    "String": "VARCHAR",
    "Enum": "VARCHAR",
    "JSON": "JSON",
    "BSON": "BLOB",
    "UUID": "UUID",
    "Date": "DATE",
    "Float16": "FLOAT",
    "Interval": "INTERVAL",
}
_INTEGERS = {8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}


def _leaf(column: pq.ColumnSchema) -> str:
    logical = json.loads(column.logical_type.to_json())
    match logical["Type"]:
        case "Int":
            return ("" if logical["isSigned"] else "U") + _INTEGERS[logical["bitWidth"]]
        case "Decimal":
            # DuckDB's decimals end at 38 digits; it reads longer ones as DOUBLE.
            if logical["precision"] > 38:
                return "DOUBLE"
            return f"DECIMAL({logical['precision']},{logical['scale']})"
        case "Time":
            return "TIME WITH TIME ZONE" if logical["isAdjustedToUTC"] else "TIME"
        case "Timestamp":
            if logical["isAdjustedToUTC"]:
                return "TIMESTAMP WITH TIME ZONE"
            return "TIMESTAMP_NS" if logical["timeUnit"] == "nanoseconds" else "TIMESTAMP"
        case known if known in _LOGICAL:
            return _LOGICAL[known]
    return _PHYSICAL[column.physical_type]


def column_bounds(metadata: pq.FileMetaData, names: Collection[str]) -> Iterator[tuple[str, Bounds]]:
    """What the statistics prove of the flat columns of these names (case folded).

    The least and greatest values are told only of types of a fixed width and one order: of texts there are
    only limits, since they may be cut off, and nothing says so; of floats, NaN is left out; the order of
    unsigned and of long decimals was another one in old writers.
    """
    leaves = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    # Of names that differ only in case, an engine that ignores case renames one.
    seen = Counter(c.path.casefold() for c in leaves)
    groups = [metadata.row_group(g) for g in range(metadata.num_row_groups)]
    for number, column in enumerate(leaves):
        flat = column.name == column.path and not column.max_repetition_level
        name = column.path.casefold()
        if flat and column.max_definition_level <= 1 and name in names and seen[name] == 1:
            parts = [(g.num_rows, g.column(number).statistics) for g in groups if g.num_rows]
            yield column.name, _bounds(column, parts)


def _bounds(column: pq.ColumnSchema, parts: Sequence[tuple[int, pq.Statistics | None]]) -> Bounds:
    nulls = [_nulls(column, rows, statistics) for rows, statistics in parts]
    known = [n for n in nulls if n is not None]
    total = sum(known) if len(known) == len(nulls) else None
    having = [s for n, (rows, s) in zip(nulls, parts, strict=True) if n != rows]
    pairs = [_raw_ends(statistics) for statistics in having]
    if not pairs or not all(pairs):
        return Bounds(nulls=total)
    logical = _logical(column.logical_type.to_json())
    ends = [raw for pair in pairs for raw in pair]
    if column.physical_type == "BYTE_ARRAY" and logical["Type"] == "String":
        texts = [raw for raw in ends if isinstance(raw, bytes)]
        return Bounds(nulls=total, within=(min(texts), max(texts)) if len(texts) == len(ends) else None)
    try:
        values = [_exact(column, logical, raw) for raw in ends]
    except OverflowError:
        return Bounds(nulls=total)
    told = [v for v in values if v is not None]
    if len(told) < len(values):
        return Bounds(nulls=total)
    return Bounds(nulls=total, least=min(told), most=max(told))


def _nulls(column: pq.ColumnSchema, rows: int, statistics: pq.Statistics | None) -> int | None:
    if not column.max_definition_level:
        return 0
    if statistics is None or not statistics.has_null_count:
        return None
    found: int = statistics.null_count
    return found if 0 <= found <= rows else None


def _raw_ends(statistics: pq.Statistics | None) -> tuple[object, ...]:
    """The least and the greatest value of a row group as they are stored; empty where they are not told."""
    if statistics is None or not statistics.has_min_max:
        return ()
    try:
        return statistics.min_raw, statistics.max_raw
    except (pa.ArrowException, NotImplementedError):
        return ()


_EPOCH = datetime(1970, 1, 1)


def _exact(column: pq.ColumnSchema, logical: Mapping[str, Any], raw: object) -> Bound | None:
    if column.physical_type not in ("INT32", "INT64") or not isinstance(raw, int):
        return None
    match logical["Type"]:
        case "None":
            return raw
        case "Int" if logical["isSigned"]:
            return raw
        case "Decimal":
            return Decimal(raw).scaleb(-logical["scale"])
        case "Date":
            return _EPOCH.date() + timedelta(days=raw)
        case "Timestamp" if logical["timeUnit"] in _MICROSECONDS:
            zone = UTC if logical["isAdjustedToUTC"] else None
            return _EPOCH.replace(tzinfo=zone) + timedelta(
                microseconds=raw * _MICROSECONDS[logical["timeUnit"]]
            )
    return None


@lru_cache(maxsize=256)
def _logical(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(text)
    return found


_MICROSECONDS = {"milliseconds": 1_000, "microseconds": 1}
