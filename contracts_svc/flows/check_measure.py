"""Measuring a table: what is known already is not measured, and only the files that are left are read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import DataFile
from contracts_svc.model import Json
from contracts_svc.ports import Session, Source
from contracts_svc.quality import bitsets, fuse, split
from contracts_svc.quality.layout import Layout
from contracts_svc.quality.split import Apart, Beside, Figure
from contracts_svc.runs import Check, Measurement, Plan

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and how much there is."""


@dataclass(slots=True)
class Asker:
    """Asks an engine, which it opens when there is something to ask, counts the queries, and writes down
    which files of the table they read."""

    tell: Progress
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
    _parts: dict[str, Source] = field(default_factory=dict)
    _names: dict[tuple[str, ...], str] = field(default_factory=dict)
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
        self.asked += 1
        for table in query.find_all(exp.Table):
            source = self.whole if table.name == self.whole.name else self._parts.get(table.name)
            self.read.update({f.path: f.size for f in source.files} if source is not None else {})
            source = source or self.others.get(table.name)
            if source is not None and checks:
                self.uses.append((source, tuple(checks)))
        try:
            return session.rows(query)
        except CouldNotCheck as error:
            if error.what not in self._parts:
                raise
            what, hint = self.whole.name, error.hint
            raise CouldNotCheck(what, error.cause, hint, retryable=error.retryable) from error

    def readers(self, paths: Collection[str]) -> frozenset[str]:
        """The checks for which one of these files was read."""
        found = (checks for source, checks in self.uses if any(f.path in paths for f in source.files))
        return frozenset(check for checks in found for check in checks)

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


@dataclass(slots=True)
class Parts:
    """Figures of parts of a table: of a file, or of a unit of files."""

    layout: Layout
    figures: tuple[Figure, ...]
    aparts: tuple[Apart, ...]
    besides: tuple[Beside, ...] = ()
    values: dict[tuple[str, str], Json] = field(default_factory=dict)
    """Unit id and key of the figure -> its value."""
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
        ids=ids,
    )


def know(parts: Parts, kept: Mapping[str, Mapping[str, Json]], *, prove: bool) -> None:
    """Take over what an earlier run found, and (``prove``) what the footers prove."""
    keys = parts.keys()
    for unit, values in kept.items():
        parts.values.update({(unit, key): value for key, value in values.items() if key in keys})
    if prove:
        for (path, key), value in split.proofs(parts.figures, parts.layout).items():
            parts.values[parts.ids[path], key] = value


def measure(parts: Parts, asker: Asker) -> frozenset[str]:
    """Ask for every figure of a part that is not known. What cannot be had is among the errors.

    Returns the ids of the units that were read.
    """
    missing = {f.path: _missing(parts, parts.ids[f.path]) for f in parts.layout.files}
    todo = split.groups(missing, parts.layout.files)
    units = _unknown(parts)
    total = len(todo) + len(units)
    for number, (files, wanted) in enumerate(todo):
        asker.tell("scans", number, total)
        _measure_files(parts, files, wanted, asker)
    for each in parts.aparts:
        _measure_bits(parts, each, asker)
    for number, (each, files, unit) in enumerate(_unknown(parts), len(todo)):
        asker.tell("scans", number, total)
        if each.key not in parts.errors:
            _measure_unit(parts, each, files, unit, asker)
    read = [f for files, _ in todo for f in files]
    for beside in parts.besides if read else ():
        _measure_beside(parts, beside, read, asker)
    return frozenset((*(parts.ids[f.path] for f in read), *(unit for _, _, unit in units)))


def _missing(parts: Parts, unit: str) -> list[Figure]:
    """The figures of a file that are to be measured: all of them where it has to be read whole."""
    if any((unit, b.key) not in parts.values for b in parts.besides):
        return list(parts.figures)
    return [x for x in parts.figures if (unit, x.key) not in parts.values]


def _unknown(parts: Parts) -> list[tuple[Apart, tuple[DataFile, ...], str]]:
    """The units of which nothing is known, with their ids."""
    found = ((a, unit, split.unit_id(unit)) for a in parts.aparts for unit in a.units)
    return [(a, unit, name) for a, unit, name in found if (name, a.key) not in parts.values]


def _measure_bits(parts: Parts, each: Apart, asker: Asker) -> None:
    """Find the units without duplicates the cheap way, where there is one. Of the others nothing is known."""
    units = [u for u in each.units if (split.unit_id(u), each.key) not in parts.values]
    for batch in bitsets.batches(each.check, units, parts.layout):
        try:
            part = asker.part(batch.files)
            (row,) = asker.rows(bitsets.query(each.check, batch, parts.layout, part))
        except CouldNotCheck as error:
            if error.retryable:
                parts.errors[each.key] = error
                return
            # The statistics were wrong: the other way will tell.
            continue
        if row["keys"] == (row["bits"] or 0):
            for unit in batch.units:
                parts.values[split.unit_id(unit), each.key] = split.no_duplicates(each.check)


def _measure_files(
    parts: Parts, files: tuple[DataFile, ...], wanted: tuple[Figure, ...], asker: Asker
) -> None:
    """Where a query of many figures cannot run, each of them is tried alone: one that the engine refuses
    must not take the others with it."""
    try:
        served = dict.fromkeys(check for figure in wanted for check, _ in figure.users)
        rows = asker.rows(split.file_query(wanted, asker.part(files)), served)
    except CouldNotCheck as error:
        if error.retryable or len(wanted) == 1:
            parts.errors.update(dict.fromkeys((f.key for f in wanted), error))
            return
        for figure in wanted:
            _measure_files(parts, files, (figure,), asker)
        return
    found = {str(row[split.FILENAME]): row for row in rows}
    for file in files:
        # A file without rows is not in the answer.
        row = found.get(file.path)
        for i, figure in enumerate(wanted):
            value = split.merged(figure.merge, ()) if row is None else row[f"m{i}"]
            parts.values[parts.ids[file.path], figure.key] = value


def _measure_beside(parts: Parts, each: Beside, files: Sequence[DataFile], asker: Asker) -> None:
    """What the scans of these files left out, which is known once they are over."""
    scan = fuse.own_query(each.check, parts.layout)
    assert scan is not None, "what tells something beside the scans asks for it"
    counted = next(f for f in parts.figures if any(check == each.check.id for check, _ in f.users))
    by_file: dict[str, list[Mapping[str, Json]]] = {}
    try:
        if counted.key in parts.errors:
            raise parts.errors[counted.key]
        for row in asker.rows(scan.query):
            by_file.setdefault(str(row["file_path"]), []).append(row)
    except CouldNotCheck as error:
        parts.errors[each.key] = error
        return
    for file in files:
        (found,) = fuse.read(scan, by_file.get(file.path, ()), _just(each.check))
        parts.values[parts.ids[file.path], each.key] = dict(found.values)


def _measure_unit(parts: Parts, each: Apart, files: tuple[DataFile, ...], unit: str, asker: Asker) -> None:
    scan = fuse.own_query(each.check, parts.layout)
    assert scan is not None, "the split has only checks with a query"
    try:
        query = renamed(scan.query, parts.layout.table.name, asker.part(files))
        (found,) = fuse.read(scan, asker.rows(query, (each.check.id,)), _just(each.check))
    except CouldNotCheck as error:
        parts.errors[each.key] = error
        return
    parts.values[unit, each.key] = dict(found.values)


def _just(check: Check) -> Plan:
    return Plan(contract="", version="", table=check.table, checks=(check,))


def renamed(query: exp.Query, table: str, part: str) -> exp.Query:
    """The same question of a part of a table."""
    copied = query.copy()
    for node in copied.find_all(exp.Table):
        if node.name == table:
            node.set("this", exp.to_identifier(part, quoted=True))
    return copied


def measurements(parts: Parts) -> Iterator[Measurement]:
    """What the parts together say of the checks."""
    for figure in parts.figures:
        error = parts.errors.get(figure.key)
        if error is not None:
            yield from errors((check for check, _ in figure.users), error)
            continue
        value = split.merged(figure.merge, (parts.values[i, figure.key] for i in parts.ids.values()))
        for check, name in figure.users:
            yield Measurement(check=check, values={name: value})
    for own in parts.owns():
        error = parts.errors.get(own.key)
        if error is not None:
            yield from errors((own.check.id,), error)
        elif isinstance(own, Apart):
            found = (parts.values[split.unit_id(u), own.key] for u in own.units)
            yield Measurement(check=own.check.id, values=split.merged_own(own.check, found))
        else:
            found = (parts.values[i, own.key] for i in parts.ids.values())
            yield Measurement(check=own.check.id, values=split.merged_beside(own.check, found))


def errors(checks: Iterable[str], error: CouldNotCheck) -> Iterator[Measurement]:
    """That these checks could not be measured, and why."""
    cause = f"{error.what}: {error.cause}" + (f" ({error.hint})" if error.hint else "")
    return (Measurement(check=c, error=cause) for c in checks)


def failing_files(check: str, parts: Parts) -> dict[str, int] | None:
    """File path -> failing rows, of a check whose failing rows were counted file by file; else None."""
    for figure in parts.figures:
        if (check, "failing") in figure.users and figure.key not in parts.errors:
            counts = {path: parts.values[i, figure.key] for path, i in parts.ids.items()}
            return {path: int(n) for path, n in counts.items() if n}
    return None
