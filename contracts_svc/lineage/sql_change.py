"""What a changed SQL statement does to the columns and rows of what it makes.

Two versions are compared by what they mean (see :mod:`contracts_svc.lineage.sql_digest`), not by how
they are written: a CTE that is renamed or inlined changes nothing, a filter inside of one does.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import zip_longest

from sqlglot import exp

from contracts_svc.errors import Location
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.sql import Meaning, SqlLineage, meanings_of, result_type
from contracts_svc.lineage.sql_made import Made, text_of
from contracts_svc.lineage.sql_rows import Parts, RowKind
from contracts_svc.lineage.sql_text import dialect_of


class ColumnFate(StrEnum):
    """What becomes of an output column."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    REDEFINED = "redefined"
    UNKNOWN = "unknown"
    """Whether it changes is not known: what it is made of could not be followed."""


class Effect(StrEnum):
    """What a change means to who reads the output, worst first."""

    BREAKING = "breaking"
    """Which rows there are changes, so any column may."""
    UNKNOWN = "unknown"
    PARTIAL = "partial_breaking"
    """Some columns are not what they were; the others are."""
    NONE = "non_breaking"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChange:
    """``name`` is the old name (the new one when added), ``new_name`` is set when it is renamed.
    ``before`` and ``after`` are the expressions, "" where there is none or it is not known; so are
    the types of the two."""

    fate: ColumnFate
    name: str
    new_name: str = ""
    before: str = ""
    after: str = ""
    type_before: str = ""
    type_after: str = ""
    at: Location | None = None
    """Where it is in the new text, or where its query starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """Something that decides about rows and is on one side only: ``before`` or ``after`` is ""."""

    kind: RowKind
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlChange:
    """What changes about one dataset. ``unknown`` says in sentences what could not be compared."""

    dataset: DatasetId
    columns: tuple[ColumnChange, ...] = ()
    rows: tuple[RowChange, ...] = ()
    unknown: tuple[str, ...] = ()
    at: Location | None = None

    @property
    def effect(self) -> Effect:
        """The worst of it. Added columns take nothing from anybody."""
        if self.rows:
            return Effect.BREAKING
        fates = {c.fate for c in self.columns}
        if self.unknown or ColumnFate.UNKNOWN in fates:
            return Effect.UNKNOWN
        return Effect.PARTIAL if fates - {ColumnFate.ADDED} else Effect.NONE


def changes_of(
    old: str,
    new: str,
    *,
    dialect: str,
    schemas: Mapping[str, Mapping[str, str]],
    name_of: Callable[[str], DatasetId],
    origin: str = "sql:",
    target: str | None = None,
) -> tuple[SqlChange, ...]:
    """What differs between two versions of a text, per dataset that either writes; see ``lineage_of``
    for the arguments. A dataset of which nothing changes is left out. Never raises for what the texts
    say: what cannot be compared is told in ``unknown``.
    """
    sides = [
        meanings_of(text, dialect=dialect, schemas=schemas, name_of=name_of, origin=origin, target=target)
        for text in (old, new)
    ]
    datasets = dict.fromkeys(d for _, lineage in sides for d in lineage.writes)
    changes = (_change(dataset, sides[0], sides[1], origin) for dataset in datasets)
    types = {
        (name_of(table).name, column): type_
        for table, columns in schemas.items()
        for column, type_ in columns.items()
        if type_
    }
    found = (_typed(c, sides[0], sides[1], dialect, types) for c in changes)
    return tuple(c for c in found if c.columns or c.rows or c.unknown)


_Side = tuple[Sequence[Meaning], SqlLineage]


def _typed(
    change: SqlChange, old: _Side, new: _Side, dialect: str, types: Mapping[tuple[str, str], str]
) -> SqlChange:
    """With the types of what is redefined, where one statement on each side makes the column."""
    befores, afters = ([m for m in side[0] if m.dataset == change.dataset] for side in (old, new))
    if len(befores) != 1 or len(afters) != 1:
        return change

    def type_of(made: Made) -> str:
        if made.expression is None:
            return ""
        text = text_of(made.expression, dialect_of(dialect))
        return (result_type(text, dialect, types) or "") if text else ""

    columns = tuple(
        replace(
            c,
            type_before=type_of(befores[0].columns[c.name]),
            type_after=type_of(afters[0].columns[c.name]),
        )
        if c.fate is ColumnFate.REDEFINED
        else c
        for c in change.columns
    )
    return replace(change, columns=columns)


def _counts(name: str, before: int, after: int) -> str:
    if not after:
        return (
            f"nothing in this file makes {name} any more, so it is as it last was unless another job makes it"
        )
    if not before:
        return f"this file begins to write {name}, so what was there may be replaced or added to"
    here = f"{before} statement{'s' if before > 1 else ''} wrote {name}"
    return f"{here}, {after} {'do' if after > 1 else 'does'} now, so they cannot be compared one by one"


def _change(dataset: DatasetId, old: _Side, new: _Side, origin: str) -> SqlChange:
    befores, afters = ([m for m in side[0] if m.dataset == dataset] for side in (old, new))
    at = _place(afters[0].query if afters else None, origin)
    if befores and [_as_written(m) for m in befores] == [_as_written(m) for m in afters]:
        return SqlChange(dataset=dataset)
    unknown = _not_followed(dataset, old, new)
    if unknown or len(befores) != len(afters):
        counts = _counts(dataset.name, len(befores), len(afters))
        return SqlChange(dataset=dataset, unknown=unknown or (counts,), at=at)
    columns: list[ColumnChange] = []
    rows: list[RowChange] = []
    said: list[str] = []
    for before, after in zip(befores, afters, strict=True):
        columns += _columns(before, after, origin)
        found, doubts = _rows(before.rows, after.rows)
        rows += found
        said += doubts
        if before.star != after.star:
            said.append("which columns `*` stands for is not known, and it is not the same star")
    return SqlChange(
        dataset=dataset,
        columns=tuple(dict.fromkeys(columns)),
        rows=tuple(dict.fromkeys(rows)),
        unknown=tuple(dict.fromkeys(said)),
        at=at,
    )


def _as_written(meaning: Meaning) -> tuple[str, tuple[str, ...]]:
    """With the columns, since a star may stand for others than before."""
    text = text_of(meaning.query)
    return (text, tuple(meaning.columns)) if text else (str(id(meaning)), ())


def _not_followed(dataset: DatasetId, old: _Side, new: _Side) -> tuple[str, ...]:
    """Why the statements that write it cannot be compared: one of the texts could not be followed."""
    found = []
    for when, (meanings, lineage) in (("the old", old), ("the new", new)):
        if dataset in lineage.writes and not any(m.dataset == dataset for m in meanings):
            why = lineage.problems[0].message if lineage.problems else "it is no query"
            found.append(f"{when} statement for {dataset.name} cannot be followed: {why}")
    return tuple(found)


# -- columns


def _columns(before: Meaning, after: Meaning, origin: str) -> list[ColumnChange]:
    changes: list[ColumnChange] = []
    gone = [n for n in before.columns if n not in after.columns]
    come = [n for n in after.columns if n not in before.columns]
    if before.star != after.star:
        # A name may still come out of a star that is not known.
        gone = [] if after.star else gone
        come = [] if before.star else come
    for old, new in _renames(before, after, gone, come):
        gone.remove(old)
        come.remove(new)
        changes.append(
            ColumnChange(
                fate=ColumnFate.RENAMED,
                name=old,
                new_name=new,
                before=_text(before.columns[old]),
                after=_text(after.columns[new]),
                at=_column_place(after, new, origin),
            )
        )
    for name in gone:
        text = _text(before.columns[name])
        at = _place(after.query, origin)
        changes.append(ColumnChange(fate=ColumnFate.REMOVED, name=name, before=text, at=at))
    for name in come:
        text = _text(after.columns[name])
        at = _column_place(after, name, origin)
        changes.append(ColumnChange(fate=ColumnFate.ADDED, name=name, after=text, at=at))
    for name in (n for n in before.columns if n in after.columns):
        one, other = before.columns[name], after.columns[name]
        if one.digest == other.digest and one.digest:
            continue
        fate = ColumnFate.REDEFINED if one.digest and other.digest else ColumnFate.UNKNOWN
        at = _column_place(after, name, origin)
        changes.append(ColumnChange(fate=fate, name=name, before=_text(one), after=_text(other), at=at))
    return changes


def _renames(
    before: Meaning, after: Meaning, gone: Sequence[str], come: Sequence[str]
) -> list[tuple[str, str]]:
    """A column that goes and one that comes, made of the same: when there is just one of each."""
    by_digest: defaultdict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for name in gone:
        by_digest[before.columns[name].digest][0].append(name)
    for name in come:
        by_digest[after.columns[name].digest][1].append(name)
    pairs = [(olds, news) for digest, (olds, news) in by_digest.items() if digest]
    return [(olds[0], news[0]) for olds, news in pairs if len(olds) == len(news) == 1]


def _text(made: Made) -> str:
    if made.expression is None:
        return ""
    text = " ".join(text_of(made.expression).split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


_SHOWN = 200


# -- rows


def _rows(before: Parts, after: Parts) -> tuple[list[RowChange], list[str]]:
    """What is on one side only; what cannot be compared is told where its text is not the same."""
    changes: list[RowChange] = []
    for kind in RowKind:
        gone = [t for p, t in before.items() if p.kind is kind and p.digest and p not in after]
        come = [t for p, t in after.items() if p.kind is kind and p.digest and p not in before]
        pairs = zip_longest(gone, come, fillvalue="")
        changes += [RowChange(kind=kind, before=one, after=other) for one, other in pairs]
    vague = [Counter((p.kind, t) for p, t in side.items() if not p.digest) for side in (before, after)]
    doubts = [
        f"whether the {kind} `{text}` changes anything is not known"
        for kind, text in (vague[0] - vague[1]) + (vague[1] - vague[0])
    ]
    return changes, doubts


# -- places


def _column_place(meaning: Meaning, name: str, origin: str) -> Location:
    for projection in meaning.query.selects:
        if (projection.alias_or_name or projection.output_name).lower() == name.lower():
            return _place(projection, origin)
    return _place(meaning.query, origin)


def _place(node: exp.Expr | None, origin: str) -> Location:
    """Where the first name in it stands."""
    file = origin.removeprefix("sql:")
    for identifier in node.find_all(exp.Identifier, bfs=False) if node is not None else ():
        if line := identifier.meta_get("line"):
            # sqlglot gives the column of the last character.
            column = (identifier.meta_get("col") or 1) - max(0, len(identifier.name) - 1)
            return Location(file, line, max(1, column))
    return Location(file, 1, 1)
