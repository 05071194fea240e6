"""Listing files and reading Parquet footers with pyarrow, on S3 and on local disks."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, BinaryIO

from contracts_svc.adapters.storage import listing, listing_s3
from contracts_svc.adapters.storage.failures import classify
from contracts_svc.adapters.storage.places import Place, parse
from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import ALL, PARQUET, Partitions, Reading
from contracts_svc.ports import DataFile, Footer, S3Access, StoredColumn, reached
from contracts_svc.quality import heads, kept_footers

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs as pafs

CONNECT_SECONDS = 3
REQUEST_SECONDS = 10
ATTEMPTS = 2
PARALLEL_FOOTERS = 16
_FILES_AT_ONCE = 1_000
"""So many are asked for in advance; each takes memory, whether it is read yet or not."""
_TAIL_BYTES = 64
_MAGIC = b"PAR1"
_MOST_BAD = 5
"""So many files that cannot be read are named; the others are not tried then."""
_FOOTER_BYTES = 64 << 10
"""How much of the end of a Parquet file is read at first; most footers are shorter."""
_COMPRESSIONS = {"gz": "gzip", "zst": "zstd", "bz2": "bz2"}


class ArrowStorage:
    """Implements :class:`contracts_svc.ports.Storage`.

    ``access`` is how S3 is reached: None means that no S3 location can be, and empty keys mean
    anonymous access, for public buckets. An endpoint that is down is given up on within half a minute.
    pyarrow is loaded when the first file is opened: a list of files needs none.
    """

    def __init__(self, access: S3Access | None = None) -> None:
        self._access = access
        self._systems: dict[str, pafs.FileSystem] = {}

    def files(self, location: str, partitions: Partitions = ALL) -> tuple[DataFile, ...]:
        """The files that match, sorted by address; none is an empty tuple.

        Folders of ``partitions`` that are not wanted are not looked into, where that spares requests.

        A location is a file, a folder (everything below it), or a glob: ``*`` and ``?`` stay within
        one name, ``[ab]`` is one of these characters, ``**`` is any number of folders. Below the
        fixed part of a location, names that begin with ``.`` or ``_`` are left out, as Spark and Hive
        do (``_SUCCESS``, ``_temporary/``); a partition folder ``_day=1`` is not such a name.
        Raises UserMistake for a location that cannot be read, CouldNotCheck when it cannot be reached.
        """
        place = parse(location)
        try:
            found = (
                listing_s3.s3_files(place, self._reach(place), partitions)
                if place.remote
                else listing.local_files(place, partitions)
            )
            return tuple(sorted(found, key=lambda f: f.path))
        except OSError as error:
            raise self._failure(location, error, place.bucket) from error

    def footers(
        self, files: Sequence[DataFile], reading: Reading = PARQUET, columns: Collection[str] = ()
    ) -> tuple[Footer, ...]:
        """What these files say of themselves, in the same order, read in parallel.

        ``columns`` are the top-level columns, by any case of their names, whose bounds are wanted. Of CSV
        and JSON files (``.gz``, ``.zst`` and ``.bz2`` are decompressed) that is their first megabyte.
        Raises CouldNotCheck, which names several of the files where several are damaged.
        """
        if not files:
            return ()
        pool = ThreadPoolExecutor(min(PARALLEL_FOOTERS, len(files)))
        try:
            names = frozenset(c.casefold() for c in columns)
            read = (
                partial(self._head, reading=reading) if reading.text else partial(self._footer, names=names)
            )
            for place in {p.bucket: p for p in map(parse, (f.path for f in files))}.values():
                self._system(place)
            found = _some_at_once(pool, partial(_or_why_not, read), files)
            return tuple(_sharing(_readable(found, len(files))))
        finally:
            pool.shutdown(cancel_futures=True)

    def open(self, file: DataFile) -> BinaryIO:
        """The bytes of a file, seekable. Raises CouldNotCheck."""
        place = parse(file.path)
        try:
            stream: BinaryIO = self._system(place).open_input_file(place.path)
        except OSError as error:
            raise self._failure(file.path, error, place.bucket) from error
        return stream

    def _footer(self, file: DataFile, *, names: frozenset[str]) -> Footer:
        import pyarrow as pa
        import pyarrow.parquet as pq

        from contracts_svc.adapters.storage.footers import column_bounds, stored_columns

        place = parse(file.path)
        try:
            # Opened through the file system here: given a path, pyarrow would ask for its kind first.
            with self._system(place).open_input_file(place.path) as stream:
                footer = _footer_of(stream)
            # Enough of a file to hold a footer.
            whole = b"".join((_MAGIC, footer, len(footer).to_bytes(4, "little"), _MAGIC))
            metadata = pq.read_metadata(pa.BufferReader(whole))
            columns = tuple(stored_columns(metadata.schema))
            _refuse_twins(file, columns, names)
            bounds = dict(column_bounds(metadata.schema, footer, names)) if names else {}
        except (pa.ArrowException, OSError, ValueError, TypeError) as error:
            raise self._failure(file.path, error, place.bucket) from error
        return Footer(file=file, rows=metadata.num_rows, columns=columns, bounds=kept_footers.packed(bounds))

    def _head(self, file: DataFile, *, reading: Reading) -> Footer:
        import pyarrow as pa

        place = parse(file.path)
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

    def _tail(self, place: Place, size: int) -> bytes:
        with self._system(place).open_input_file(place.path) as stream:
            return bytes(stream.read_at(_TAIL_BYTES, max(0, size - _TAIL_BYTES)))

    def _reach(self, place: Place) -> S3Access:
        return reached(self._access).of(place.bucket)

    def _system(self, place: Place) -> pafs.FileSystem:
        """The file system that a place is in: one for each bucket, since each may be reached otherwise."""
        found = self._systems.get(place.bucket)
        if found is None:
            found = s3_system(self._reach(place)) if place.remote else self._local
            self._systems[place.bucket] = found
        return found

    @cached_property
    def _local(self) -> pafs.FileSystem:
        import pyarrow.fs as pafs

        return pafs.LocalFileSystem()

    def _failure(self, what: str, error: Exception, bucket: str, kind: str = "Parquet") -> CouldNotCheck:
        text = self._access.scrub(str(error)) if self._access else str(error)
        cause, hint, retryable = classify(error, text, bucket, kind)
        return CouldNotCheck(what, cause, hint, retryable=retryable)


def _refuse_twins(file: DataFile, columns: Sequence[StoredColumn], names: frozenset[str]) -> None:
    """Raise CouldNotCheck where a column of these names is there twice: each reader takes another one."""
    for name, count in Counter(c.name for c in columns).items():
        if count > 1 and name.casefold() in names:
            what = f"it has {count} columns named {name}"
            raise CouldNotCheck(file.path, what, "write it with one of them", retryable=False)


def _footer_of(stream: pa.NativeFile) -> bytes:
    """The footer of a Parquet file, as bytes. Raises ValueError, OSError."""
    size = stream.size()
    tail = bytes(stream.read_at(min(size, _FOOTER_BYTES), max(0, size - _FOOTER_BYTES)))
    if len(tail) < len(_MAGIC) + 8 or tail[-4:] != _MAGIC:
        raise ValueError("its footer is encrypted" if tail[-4:] == b"PARE" else "it does not end with PAR1")
    length = int.from_bytes(tail[-8:-4], "little")
    if length > size - len(_MAGIC) - 8:
        raise ValueError("its footer is said to be longer than the file")
    if length + 8 > len(tail):
        tail = bytes(stream.read_at(length + 8, size - length - 8))
    return tail[-8 - length : -8]


def _or_why_not(read: Callable[[DataFile], Footer], file: DataFile) -> Footer | CouldNotCheck:
    try:
        return read(file)
    except CouldNotCheck as error:
        return error


def _readable(found: Iterable[Footer | CouldNotCheck], total: int) -> Iterator[Footer]:
    """The footers. Raises CouldNotCheck for those that are none: at once where trying again may help, else
    when all are known, or so many that the rest would say no more."""
    bad: list[CouldNotCheck] = []
    for each in found:
        if isinstance(each, Footer):
            yield each
            continue
        bad.append(each)
        if each.retryable or len(bad) == _MOST_BAD:
            break
    if not bad:
        return
    first, others = bad[0], ", ".join(b.what for b in bad[1:])
    more = "" if len(bad) < _MOST_BAD else "at least "
    cause = f"{first.cause}; {more}{len(bad)} of {total:,} files cannot be read, also {others}"
    raise CouldNotCheck(
        first.what, cause if others else first.cause, first.hint, retryable=bad[-1].retryable
    ) from first


def _some_at_once(
    pool: ThreadPoolExecutor,
    read: Callable[[DataFile], Footer | CouldNotCheck],
    files: Sequence[DataFile],
) -> Iterator[Footer | CouldNotCheck]:
    for at in range(0, len(files), _FILES_AT_ONCE):
        yield from pool.map(read, files[at : at + _FILES_AT_ONCE])
        if at:
            # The metadata and the schema of Arrow hold each other, and take ten kilobytes a file.
            gc.collect(0)


def _sharing(footers: Iterable[Footer]) -> Iterator[Footer]:
    """The same footers; the columns of a schema that many files have are there once."""
    schemas: dict[tuple[StoredColumn, ...], tuple[StoredColumn, ...]] = {}
    for footer in footers:
        yield replace(footer, columns=schemas.setdefault(footer.columns, footer.columns))


def s3_system(access: S3Access) -> pafs.FileSystem:
    """pyarrow's S3 with this access."""
    import pyarrow.fs as pafs

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
