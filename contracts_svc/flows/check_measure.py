"""Measuring a table: what is known already is not measured, and only the files that are left are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import DataFile
from contracts_svc.flows.check_keys import measure_bits, measure_hashes, measure_unit
from contracts_svc.flows.check_parts import Asker, Parts, just, unknown
from contracts_svc.model import Json
from contracts_svc.quality import fuse, split
from contracts_svc.quality.split import Apart, Beside, Figure
from contracts_svc.runs import Measurement

FILES_AT_ONCE = 2_000


def measure(parts: Parts, asker: Asker) -> frozenset[str]:
    """Ask for every figure of a part that is not known. What cannot be had is among the errors.

    Returns the ids of the units that were read.
    """
    needs: dict[tuple[str, ...], tuple[Figure, ...]] = {}
    missing = {f.path: _missing(parts, parts.ids[f.path], needs) for f in parts.layout.files}
    todo = list(_some_at_once(split.groups(missing, parts.layout.files), parts))
    units = unknown(parts)
    total = len(todo) + len(units)
    for number, (files, wanted) in enumerate(todo):
        asker.tell("scans", number, total)
        _measure_files(parts, files, wanted, asker)
    for each in parts.aparts:
        measure_bits(parts, each, asker)
        measure_hashes(parts, each, asker)
    for number, (each, files, unit) in enumerate(unknown(parts), len(todo)):
        asker.tell("scans", number, total)
        if each.key not in parts.errors:
            measure_unit(parts, each, files, unit, asker)
    read = [f for files, _ in todo for f in files]
    for beside in parts.besides if read else ():
        _measure_beside(parts, beside, read, asker)
    return frozenset((*(parts.ids[f.path] for f in read), *(unit for _, _, unit in units)))


def _some_at_once(
    groups: Iterable[tuple[tuple[DataFile, ...], tuple[Figure, ...]]], parts: Parts
) -> Iterator[tuple[tuple[DataFile, ...], tuple[Figure, ...]]]:
    """The same, but few enough files together: an engine holds what it knows of each while it reads them."""
    for files, wanted in groups:
        # What a scan of text files leaves out is told of the scan as a whole.
        most = FILES_AT_ONCE if not parts.besides else len(files)
        for at in range(0, len(files), most):
            yield files[at : at + most], wanted


def _missing(parts: Parts, unit: str, needs: dict[tuple[str, ...], tuple[Figure, ...]]) -> tuple[Figure, ...]:
    """The figures of a file that are to be measured: all of them where it has to be read whole. Most files
    lack the same ones, which are there once among the ``needs``."""
    if any((unit, b.key) not in parts.values for b in parts.besides):
        return parts.figures
    found = tuple(x for x in parts.figures if (unit, x.key) not in parts.values)
    return needs.setdefault(tuple(x.key for x in found), found)


def _measure_files(
    parts: Parts, files: tuple[DataFile, ...], wanted: tuple[Figure, ...], asker: Asker
) -> None:
    """Where a query of many figures cannot run, each half of them is tried: one that the engine refuses must
    not take the others with it, and of very many it may only be their number."""
    try:
        served = dict.fromkeys(check for figure in wanted for check, _ in figure.users)
        part = asker.part(files)
        rows = asker.rows(split.file_query(wanted, part), served)
    except CouldNotCheck as error:
        if error.retryable or len(wanted) == 1:
            parts.errors.update(dict.fromkeys((f.key for f in wanted), error))
            return
        half = len(wanted) // 2
        for some in (wanted[:half], wanted[half:]):
            _measure_files(parts, files, some, asker)
            again = [parts.errors[f.key] for f in some if f.key in parts.errors]
            if any(e.retryable for e in again):
                # The engine is gone: what it fell over is the cause, for the rest too.
                known = {f.key for f in wanted if (parts.ids[files[0].path], f.key) in parts.values}
                for figure in wanted:
                    if figure.key not in known:
                        parts.errors.setdefault(figure.key, error)
                break
        return
    if len(files) == FILES_AT_ONCE:
        asker.done(part)
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
        (found,) = fuse.read(scan, by_file.get(file.path, ()), just(each.check))
        parts.values[parts.ids[file.path], each.key] = dict(found.values)


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
            counts = ((path, parts.values[i, figure.key]) for path, i in parts.ids.items())
            return {path: int(n) for path, n in counts if n}
    return None
