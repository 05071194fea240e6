"""Which files of a table a check looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from contracts_svc.errors import UserMistake
from contracts_svc.files import DataFile, Partitions, natural
from contracts_svc.model import Table
from contracts_svc.runs import WHOLE_TABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Files from a partition on, or changed since a moment."""

    written: str
    key: str = ""
    value: str = ""
    moment: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The part of a table that is checked."""

    partition: Mapping[str, str] = field(default_factory=dict)
    since: Since | None = None
    new_files: bool = False
    """Whether only files are looked at that no earlier run did."""

    @property
    def whole(self) -> bool:
        """Whether it is the whole table."""
        return not self.partition and self.since is None and not self.new_files

    @property
    def partitions(self) -> Partitions:
        """Which values of partition keys are looked at."""
        found = {k: partial(_same, v) for k, v in self.partition.items()}
        since = self.since
        if since is not None and since.key and since.key not in found:
            found[since.key] = partial(_from, since.value)
        return found

    def __str__(self) -> str:
        parts = [f"{k}={v}" for k, v in self.partition.items()]
        parts += [f"since {self.since.written}"] if self.since else []
        parts += ["new files"] if self.new_files else []
        return ", ".join(parts) or WHOLE_TABLE


def since_of(written: str) -> Since | None:
    """What ``--since`` means: ``day=2026-11-23``, or a date or time in ISO 8601 (UTC where it has no zone).

    Raises UserMistake.
    """
    if not written:
        return None
    key, equals, value = written.partition("=")
    if equals and key and value:
        return Since(written=written, key=key, value=value)
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise UserMistake.of(
            f"--since {written!r} is neither a partition nor a date or time",
            "for instance --since day=2026-11-23, or --since 2026-11-23T06:00Z",
        ) from None
    return Since(written=written, moment=moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def in_scope(files: Sequence[DataFile], scope: Scope, table: Table, place: str) -> tuple[DataFile, ...]:
    """The files that are in the scope. Raises UserMistake for a partition that is not there."""
    if not files or (not scope.partition and scope.since is None):
        return tuple(files)
    keys = dict.fromkeys(k for f in files for k in f.partition)
    wanted = [*scope.partition, *([scope.since.key] if scope.since and scope.since.key else [])]
    for key in wanted:
        if key not in keys:
            raise UserMistake.of(
                f"{table.name} has no partition key {key}",
                f"its keys at {place}: {', '.join(keys) or 'none, it is not partitioned'}",
            )
    kept = tuple(f for f in files if _wanted(f, scope))
    if not kept:
        raise _nothing(files, scope, table, wanted)
    return kept


def _wanted(file: DataFile, scope: Scope) -> bool:
    since = scope.since
    if not all(_same(v, file.partition.get(k)) for k, v in scope.partition.items()):
        return False
    if since is None:
        return True
    if since.moment is not None:
        # Where it is not known when a file was changed, it may have been since.
        return file.modified is None or file.modified >= since.moment
    return _from(since.value, file.partition.get(since.key))


def _from(first: str, written: str | None) -> bool:
    return written is not None and natural(written) >= natural(first)


def _nothing(files: Sequence[DataFile], scope: Scope, table: Table, keys: Sequence[str]) -> UserMistake:
    if not keys:
        times = [f.modified for f in files if f.modified is not None]
        last = f"the last change was at {max(times).isoformat()}" if times else ""
        return UserMistake.of(f"no file of {table.name} was changed {scope}", last)
    there = {", ".join(f"{k}={f.partition.get(k)}" for k in keys) for f in files}
    shown = sorted(there, key=natural)
    more = f", ... ({len(shown)} in all)" if len(shown) > 20 else ""
    message = f"{table.name} has no partition {scope}"
    return UserMistake.of(message, f"there are: {', '.join(shown[:20])}{more}")


def _same(wanted: str, written: str | None) -> bool:
    """``1`` finds the folder ``month=01`` too."""
    if written is None:
        return False
    return written == wanted or (written.isdigit() and wanted.isdigit() and int(written) == int(wanted))
