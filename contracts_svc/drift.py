"""Drift: a schema source changes (Avro, Protobuf, JSON Schema, dbt, SQL), and the contract that is made of it
does not say so.

A contract names its source by the custom property ``schemaSource``, at a table or, for all its tables, at the
contract: a path, or a mapping of ``path``, ``format``, ``dialect`` and ``name``. A path starts at the root of
the repository, and one that begins with ``./`` or ``../`` at the folder of the contract.

Only what the change does counts. What contract and source said differently before stays as it was agreed: a
contract may promise less than its source has.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from contracts_svc.compat.columns import diff as columns_diff
from contracts_svc.compat.fields import COLUMN, OPTION
from contracts_svc.drift_edits import Edits
from contracts_svc.errors import Location, Problem, UserMistake
from contracts_svc.findings import Change, ChangeKind, Finding, PlainRule, Severity, Suggestion, ordered
from contracts_svc.model import Column, Contract, CustomProperty, Json, Table

PROPERTY = "schemaSource"


class SourceFormat(StrEnum):
    """What a schema source is written in."""

    AVRO = "avro"
    PROTOBUF = "protobuf"
    JSON_SCHEMA = "jsonschema"
    DBT = "dbt"
    SQL = "sql"


_BY_ENDING = {
    ".avsc": SourceFormat.AVRO,
    ".avro": SourceFormat.AVRO,
    ".proto": SourceFormat.PROTOBUF,
    ".json": SourceFormat.JSON_SCHEMA,
    ".yml": SourceFormat.DBT,
    ".yaml": SourceFormat.DBT,
    ".sql": SourceFormat.SQL,
    ".ddl": SourceFormat.SQL,
}
_KEYS = ("path", "format", "dialect", "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaSource:
    """Where the schema of a table comes from. ``name`` is what the table is called there, where it is said;
    ``dialect`` is that of SQL."""

    path: str
    format: SourceFormat
    dialect: str = ""
    name: str = ""
    at: Location


ADDED = PlainRule(
    id="schema-source-column-added",
    purpose="Checks that a contract has the columns that its schema source gets.",
    severity=Severity.WARNING,
)
REMOVED = PlainRule(
    id="schema-source-column-removed",
    purpose="Checks that a contract promises no column that its schema source loses.",
    severity=Severity.ERROR,
)
RETYPED = PlainRule(
    id="schema-source-type-changed",
    purpose="Checks that a contract has the types that its schema source comes to have.",
    severity=Severity.ERROR,
)
LOOSENED = PlainRule(
    id="schema-source-loosened",
    purpose="Checks that a contract promises no more of a column than its schema source still does.",
    severity=Severity.WARNING,
)
UNREAD = PlainRule(
    id="schema-source-unread",
    purpose="Checks that a changed schema source can be read, and what it does to the contract is known.",
    severity=Severity.WARNING,
)
DRIFT_RULES = (ADDED, REMOVED, RETYPED, LOOSENED, UNREAD)

_TYPES = ("logicalType", "physicalType")
_PROMISES = ("required", "unique", "primaryKey")


def source_of(contract: Contract, table: Table) -> SchemaSource | None:
    """The schema source of a table; None where none is named. Raises UserMistake for one that can be none."""
    named = _property(table.custom) or _property(contract.custom)
    if named is None:
        return None
    given, at = named.value, named.place("value")
    if isinstance(given, str):
        given = {"path": given}
    if not isinstance(given, dict) or not isinstance(given.get("path"), str) or not given["path"]:
        raise _mistake(at, f"{PROPERTY} is no path of a file", "give a path, or a mapping with `path`")
    if unknown := sorted(set(given) - set(_KEYS)):
        raise _mistake(at, f"{PROPERTY} has no key {unknown[0]!r}", f"its keys are {', '.join(_KEYS)}")
    path = _path(given["path"], contract.at.file, at)
    return SchemaSource(
        path=path,
        format=_format(given.get("format"), path, at),
        dialect=str(given.get("dialect") or ""),
        name=str(given.get("name") or ""),
        at=at,
    )


def _property(custom: Iterable[CustomProperty]) -> CustomProperty | None:
    return next((c for c in custom if c.property == PROPERTY), None)


def _path(given: str, contract_file: str, at: Location) -> str:
    relative = given.startswith(("./", "../"))
    start = posixpath.dirname(contract_file) if relative else ""
    path = posixpath.normpath(posixpath.join(start, given.lstrip("/") if not relative else given))
    if path.startswith("..") or path == "." or "\\" in path or "\0" in path:
        raise _mistake(
            at, f"{PROPERTY} {given!r} is no file of the repository", "name it from the repository's root"
        )
    return path


def _format(given: Json, path: str, at: Location) -> SourceFormat:
    words = ", ".join(SourceFormat)
    if given is not None:
        if given not in {f.value for f in SourceFormat}:
            raise _mistake(at, f"{PROPERTY} has no format {given!r}", f"one of {words}")
        return SourceFormat(given)
    found = _BY_ENDING.get(posixpath.splitext(path)[1].lower())
    if found is None:
        raise _mistake(
            at, f"the format of {PROPERTY} {path!r} is not known", f"say so with `format`: {words}"
        )
    return found


def _mistake(at: Location, message: str, hint: str) -> UserMistake:
    return UserMistake([Problem(at, message, hint)])


def table_in(tables: Sequence[Table], table: Table, source: SchemaSource) -> Table | None:
    """What a source says of a table: by the name that is given, the table's own names, or because there is
    nothing else in it. None where it says nothing."""
    wanted = {source.name} if source.name else {table.name, table.physical_name or table.name}
    folded = {w.casefold().rsplit(".", 1)[-1] for w in wanted}
    found = [t for t in tables if t.name in wanted] or [
        t for t in tables if t.name.casefold().rsplit(".", 1)[-1] in folded
    ]
    if not found and not source.name and len(tables) == 1:
        return tables[0]
    return found[0] if found else None


def unread(contract: Contract, table: Table, source: SchemaSource, why: str) -> Finding:
    """That it is not known what a changed source does to a contract."""
    # Whoever reads the table may be affected, as by a job of which it is not known what it makes.
    change = Change(
        kind=ChangeKind.CHANGED,
        element="table",
        table=table.name,
        field="unknown",
        new=source.path,
        new_at=source.at,
    )
    return Finding(
        rule=UNREAD.id,
        severity=UNREAD.severity,
        message=f"{source.path} changes, and what {table.name} would have to say is not known: {why}",
        at=source.at,
        fix=f"look at {source.path}, and have the contract say what it does",
        contract=contract.id,
        change=change,
    )


def drift(
    contract: Contract, table: Table, before: Table | None, after: Table, source: SchemaSource, text: str
) -> tuple[Finding, ...]:
    """What ``table`` of a contract would have to say now that its source says ``after``, and not ``before``
    (None: there was no such source).

    ``text`` is the contract as it is written, for the edits that would say so.
    """
    old = before or Table(name=after.name, at=after.at)
    edits = Edits(text, contract.at.file)
    about = _About(contract=contract, table=table, source=source, edits=edits)
    found = [
        f
        for changes in _by_type(columns_diff(table.name, old, after))
        for f in about.findings(changes, after)
    ]
    suggestions = edits.without_overlaps([f.suggestion for f in found])
    return ordered(replace(f, suggestion=s) for f, s in zip(found, suggestions, strict=True))


def _by_type(changes: Iterable[Change]) -> list[list[Change]]:
    """Each change alone, but for those of the logical and the physical type of a column: they are one."""
    found: list[list[Change]] = []
    types: dict[str | None, list[Change]] = {}
    for change in changes:
        together = types.setdefault(change.column, []) if change.field in _TYPES else []
        together.append(change)
        if len(together) == 1:
            found.append(together)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    contract: Contract
    table: Table
    source: SchemaSource
    edits: Edits

    def findings(self, changes: Sequence[Change], after: Table) -> Iterator[Finding]:
        """What one change of the source, or both of a column's types, means to the contract."""
        change = changes[0]
        if change.element != "column" or change.column is None:
            return
        mine = _column(self.table, change.column)
        match change.kind:
            case ChangeKind.ADDED:
                if mine is None:
                    yield self._added(change, after)
            case ChangeKind.REMOVED:
                if mine is not None:
                    yield self._removed(change, mine)
            case ChangeKind.RENAMED:
                if mine is not None and change.new_column is not None:
                    yield self._renamed(change, mine)
            case ChangeKind.CHANGED:
                if mine is None or change.field is None:
                    return
                if change.field in _TYPES:
                    yield from self._retyped(changes, mine)
                else:
                    yield from self._changed(change, mine, change.field)
            case _:
                return

    def _added(self, change: Change, after: Table) -> Finding:
        column: Column = change.new
        outer = change.column.rpartition(".")[0] if change.column else ""
        theirs = after.column(outer) if outer else after
        mine = _column(self.table, outer) if outer else self.table
        names = [c.name for c in theirs.columns] if theirs else []
        earlier = names[: names.index(column.name)] if column.name in names else names
        known = {c.name: c for c in (mine.columns if mine else ())}
        previous = next((known[n] for n in reversed(earlier) if n in known), None)
        return self._finding(
            ADDED,
            f"{self.source.path} gives {self.table.name} a column {change.column}; the contract has none",
            (previous or mine or self.table).at,
            change,
            self.edits.after(previous.at, self._as_ours(column, after)) if previous else None,
        )

    def _as_ours(self, column: Column, after: Table) -> Column:
        """A column as the contract would have it: with its type there where the contract names such types."""
        pairs = ((_column(self.table, theirs.path), theirs) for theirs in after.columns)
        if any(mine and mine.physical_type and mine.physical_type == t.physical_type for mine, t in pairs):
            return column
        return _without_physical(column)

    def _removed(self, change: Change, mine: Column) -> Finding:
        return self._finding(
            REMOVED,
            f"{self.source.path} loses {change.column}, and the contract promises {_name(self.table, mine)}",
            mine.at,
            change,
            self.edits.removed(mine.at),
        )

    def _renamed(self, change: Change, mine: Column) -> Finding:
        new: Column = change.new
        return self._finding(
            REMOVED,
            f"{self.source.path} calls {change.column} {change.new_column} now, and the contract promises "
            f"{_name(self.table, mine)}",
            mine.place("name"),
            change,
            self.edits.value(mine.places.get("name"), new.name),
        )

    def _changed(self, change: Change, mine: Column, field: str) -> Iterator[Finding]:
        value, new = _value(mine, field), change.new
        if (field in _PROMISES and value and not new) or (
            field.startswith(OPTION) and value is not None and value == change.old
        ):
            word = field.removeprefix(OPTION)
            yield self._finding(
                LOOSENED,
                f"{self.source.path} changes {word} of {change.column} from {_shown(change.old)} to "
                f"{_shown(new)}, and the contract says {_shown(value)}",
                mine.place(field),
                change,
                self.edits.value(mine.places.get(field), new),
            )

    def _retyped(self, changes: Sequence[Change], mine: Column) -> Iterator[Finding]:
        meant: list[tuple[Change, str, Json]] = []
        for change in changes:
            field = change.field or ""
            value = _value(mine, field)
            # A contract may name the type that the data has where it lies, and not the one of its source.
            follows = field == "logicalType" or value == change.old
            if value is not None and follows and value != change.new:
                meant.append((change, field, value))
        if not meant:
            return
        first, field, _ = meant[0]
        old, new, ours = (
            " ".join(f"({t})" if n else t for n, t in enumerate(map(_shown, types)))
            for types in zip(*((c.old, c.new, value) for c, _, value in meant), strict=True)
        )
        edits = [self.edits.value(mine.places.get(f), c.new) for c, f, _ in meant]
        made = [e for e in edits if e is not None]
        yield self._finding(
            RETYPED,
            f"{self.source.path} changes {field if len(meant) == 1 else 'the type'} of {first.column} from "
            f"{old} to {new}, and the contract says {ours}",
            mine.place(field),
            first,
            self.edits.joined(made) if made and len(made) == len(edits) else None,
        )

    def _finding(
        self, rule: PlainRule, message: str, at: Location, change: Change, edit: Suggestion | None
    ) -> Finding:
        return Finding(
            rule=rule.id,
            severity=rule.severity,
            message=message,
            at=at,
            why="the data comes to be what its source says, whatever the contract promises",
            fix=f"have the contract say so in this change, or leave {self.source.path} as it is",
            contract=self.contract.id,
            # Its places are in a document that was made of the source, which nobody can look at.
            change=replace(change, old_at=None, new_at=at),
            suggestion=edit,
        )


def _column(table: Table, path: str) -> Column | None:
    """The column of a contract that its source knows by a path: as it is named, else as it is stored."""
    return table.column(path) or next((c for c in table.columns if c.stored_name == path), None)


def _without_physical(column: Column) -> Column:
    return replace(
        column,
        physical_type=None,
        columns=tuple(map(_without_physical, column.columns)),
        items=_without_physical(column.items) if column.items else None,
    )


def _name(table: Table, column: Column) -> str:
    return f"{table.name}.{column.path}"


def _value(column: Column, field: str) -> Json:
    if field.startswith(OPTION):
        return column.logical_type_options.get(field.removeprefix(OPTION))
    attribute = next((a for a, odcs in COLUMN.items() if odcs == field), None)
    return getattr(column, attribute) if attribute else column.extra.get(field)


def _shown(value: Json) -> str:
    return "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
