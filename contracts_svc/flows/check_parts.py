"""The parts of a table, what is known of them, and whom to ask."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO

from sqlglot import exp

from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import DataFile
from contracts_svc.model import Json
from contracts_svc.ports import FindsRepeats, Repeats, Session, Source
from contracts_svc.quality import orphans, split
from contracts_svc.quality.layout import Layout
from contracts_svc.quality.proofs import prover
from contracts_svc.quality.split import Apart, Beside, Figure
from contracts_svc.runs import Check, Plan

Tell = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The hashes of the keys of a check that have no match."""

    found: Repeats
    side: orphans.Side
    types: tuple[str, ...]

    def queries(self, query: exp.Query) -> Iterator[exp.Query]:
        """The same question, for a few of these keys at a time."""
        for within in self.found.ranges:
            yield orphans.among(query, self.side, self.types, self.found.source, within)


@dataclass(slots=True)
class Asker:
    """Asks an engine, which it opens when there is something to ask, counts the queries, and writes down
    which files of the table they read."""

    tell: Tell
    open: Callable[[], Session]
    """Opens the engine. Raises CouldNotCheck."""
    whole: Source
    """The table that is checked, with all of its files."""
    others: Mapping[str, Source] = field(default_factory=dict)
    """The other tables that checks ask for, by their names."""
    asked: int = 0
    uses: list[tuple[Source, tuple[str, ...]]] = field(default_factory=list)
    """What was read, and for which checks."""
    read: dict[str, int] = field(default_factory=dict)
    """Path and size of every file of the table that a query read."""
    lost: dict[str, Lost | None] = field(default_factory=dict)
    """Check -> its keys without a match, where there were too many to be joined at once."""
    _parts: dict[str, Source] = field(default_factory=dict)
    _names: dict[tuple[str, ...], str] = field(default_factory=dict)
    _repeats: dict[str, Repeats] = field(default_factory=dict)
    _session: Session | None = None
    _closed: CouldNotCheck | None = None

    @property
    def session(self) -> Session:
        """The session of the engine. Raises CouldNotCheck, each time the same when it cannot be had."""
        if self._closed is not None:
            raise self._closed
        if self._session is None:
            try:
                self._session = self.open()
            except CouldNotCheck as error:
                self._closed = error
                raise
        return self._session

    def rows(self, query: exp.Query, checks: Collection[str] = ()) -> list[dict[str, Json]]:
        """The answer of a query, which serves these ``checks``. Raises CouldNotCheck."""
        session = self.session
        self._use(query, checks)
        with self._asking():
            return session.rows(query)

    def repeats(self, query: exp.Query, expected: int, checks: Collection[str]) -> Repeats | None:
        """Which numbers a query gives more than once; None where the engine cannot tell. Raises
        CouldNotCheck."""
        session = self.session
        if not isinstance(session, FindsRepeats):
            return None
        self._use(query, checks)
        text = query.sql(dialect="duckdb")
        if text not in self._repeats:
            with self._asking():
                self._repeats[text] = session.repeats(query, expected)
        return self._repeats[text]

    def lacking(
        self, query: exp.Query, others: exp.Query, expected: int, checks: Collection[str]
    ) -> Repeats | None:
        """Which numbers of a query another one does not give; None where the engine cannot tell. Raises
        CouldNotCheck."""
        session = self.session
        if not isinstance(session, FindsRepeats):
            return None
        self._use(query, checks)
        self._use(others, checks)
        with self._asking():
            return session.lacking(query, others, expected)

    def _use(self, query: exp.Query, checks: Collection[str]) -> None:
        for table in query.find_all(exp.Table):
            source = self.whole if table.name == self.whole.name else self._parts.get(table.name)
            self.read.update({f.path: f.size for f in source.files} if source is not None else {})
            source = source or self.others.get(table.name)
            if source is not None and checks:
                self.uses.append((source, tuple(checks)))

    @contextmanager
    def _asking(self) -> Iterator[None]:
        self.asked += 1
        try:
            yield
        except CouldNotCheck as error:
            if error.what not in self._parts:
                raise
            what, hint = self.whole.name, error.hint
            raise CouldNotCheck(what, error.cause, hint, retryable=error.retryable) from error

    def write(self, query: exp.Query, check: str, sink: IO[bytes], batch: int) -> None:
        """Write the rows of a query of the whole table for a check. Raises CouldNotCheck."""
        session = self.session
        self.asked += 1
        self.read.update({f.path: f.size for f in self.whole.files})
        self.uses.append((self.whole, (check,)))
        session.write(query, sink, batch)

    def readers(self, paths: Collection[str]) -> frozenset[str]:
        """The checks for which one of these files was read."""
        found = (checks for source, checks in self.uses if any(f.path in paths for f in source.files))
        return frozenset(check for checks in found for check in checks)

    def done(self, name: str) -> None:
        """Let go of a part that is not asked any more: an engine keeps in mind what it is."""
        files = self._parts[name].files if name in self._parts else ()
        if files:
            self.session.forget(name)
            del self._names[tuple(f.path for f in files)]

    def part(self, files: Sequence[DataFile]) -> str:
        """The name under which just these files of the table can be asked."""
        paths = tuple(f.path for f in files)
        if len(paths) == len(self.whole.files):
            return self.whole.name
        if paths not in self._names:
            name = f"{self.whole.name} / {len(self._names) + 1}"
            source = replace(self.whole, name=name, files=tuple(files))
            self.session.add(source)
            self._parts[name] = source
            self._names[paths] = name
        return self._names[paths]


class Values:
    """Unit id and key of a figure -> its value.

    There may be very many units, each with every figure: a figure's values are a list.
    """

    __slots__ = ("_columns", "_places")

    def __init__(self, units: Iterable[str] = ()) -> None:
        self._places: dict[str, int] = {}
        self._columns: dict[str, list[Json]] = {}
        for unit in units:
            self._places.setdefault(unit, len(self._places))

    def __setitem__(self, at: tuple[str, str], value: Json) -> None:
        unit, key = at
        place = self._places.setdefault(unit, len(self._places))
        column = self._columns.setdefault(key, [])
        if len(column) <= place:
            column += [_UNKNOWN] * (max(len(self._places), place + 1) - len(column))
        column[place] = value

    def __getitem__(self, at: tuple[str, str]) -> Json:
        found = self.get(at, _UNKNOWN)
        if found is _UNKNOWN:
            raise KeyError(at)
        return found

    def get(self, at: tuple[str, str], default: Json = None) -> Json:
        """The value, or the default where it is not known."""
        unit, key = at
        place, column = self._places.get(unit), self._columns.get(key, ())
        if place is None or place >= len(column) or column[place] is _UNKNOWN:
            return default
        return column[place]

    def __contains__(self, at: tuple[str, str]) -> bool:
        return self.get(at, _UNKNOWN) is not _UNKNOWN

    def of(self, unit: str) -> dict[str, Json]:
        """All that is known of a unit, by the key of the figure."""
        found = {key: self.get((unit, key), _UNKNOWN) for key in self._columns}
        return {key: value for key, value in found.items() if value is not _UNKNOWN}


_UNKNOWN: Json = object()


@dataclass(slots=True)
class Parts:
    """Figures of parts of a table: of a file, or of a unit of files."""

    layout: Layout
    figures: tuple[Figure, ...]
    aparts: tuple[Apart, ...]
    besides: tuple[Beside, ...] = ()
    values: Values = field(default_factory=Values)
    errors: dict[str, CouldNotCheck] = field(default_factory=dict)
    """Key of a figure that could not be measured -> why not."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """File path -> unit id."""

    def ids_of_units(self) -> frozenset[str]:
        """Every unit there is of these files."""
        units = (split.unit_id(u) for a in self.aparts for u in a.units)
        return frozenset((*self.ids.values(), *units))

    def keys(self) -> frozenset[str]:
        """Every figure there is of this plan."""
        return frozenset((*(f.key for f in self.figures), *(own.key for own in self.owns())))

    def asked(self) -> frozenset[str]:
        """The checks whose own queries are asked of parts."""
        return frozenset(own.check.id for own in self.owns())

    def checks(self) -> frozenset[str]:
        """The checks with a figure that is measured in parts, whether it was read, proved or kept."""
        return self.asked() | {check for figure in self.figures for check, _ in figure.users}

    def owns(self) -> tuple[Apart | Beside, ...]:
        """What has a query of its own."""
        return *self.aparts, *self.besides


def parts_of(plan: Plan, layout: Layout) -> Parts:
    """What of a plan is measured in parts."""
    ids = {f.path: split.unit_id((f,)) for f in layout.files}
    return Parts(
        layout=layout,
        figures=split.figures(plan, layout),
        aparts=split.apart(plan, layout),
        besides=split.beside(plan, layout),
        values=Values(ids.values()),
        ids=ids,
    )


def know(parts: Parts, kept: Iterable[tuple[str, Mapping[str, Json]]], *, prove: bool) -> None:
    """Take over what an earlier run found of units, and (``prove``) what the footers prove."""
    keys = parts.keys()
    for unit, values in kept:
        for key in values.keys() & keys:
            parts.values[unit, key] = values[key]
    if prove:
        wanted = [(f, prover(f.expression)) for f in parts.figures]
        for file in parts.layout.files:
            unit = parts.ids[file.path]
            missing = [(f.key, prover) for f, prover in wanted if (unit, f.key) not in parts.values]
            for key, value in split.proofs(missing, file, parts.layout):
                parts.values[unit, key] = value


def unknown(parts: Parts) -> list[tuple[Apart, tuple[DataFile, ...], str]]:
    """The units of which nothing is known, with their ids."""
    return [(a, unit, split.unit_id(unit)) for a in parts.aparts for unit in unknown_of(a, parts)]


def unknown_of(each: Apart, parts: Parts) -> list[tuple[DataFile, ...]]:
    """The units of which it is not known what this check finds."""
    return [u for u in each.units if (split.unit_id(u), each.key) not in parts.values]


def renamed(query: exp.Query, table: str, part: str) -> exp.Query:
    """The same question of a part of a table."""
    copied = query.copy()
    for node in copied.find_all(exp.Table):
        if node.name == table:
            node.set("this", exp.to_identifier(part, quoted=True))
    return copied


def just(check: Check) -> Plan:
    """A plan of one check."""
    return Plan(contract="", version="", table=check.table, checks=(check,))
