"""Keys that have to be unique: the cheapest way to tell is tried first."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import DataFile
from contracts_svc.flows.check_parts import Asker, Parts, just, renamed, unknown_of
from contracts_svc.model import Json
from contracts_svc.ports import Repeats
from contracts_svc.quality import bitsets, fuse, repeats, split
from contracts_svc.quality.split import Apart
from contracts_svc.runs import Check


def measure_bits(parts: Parts, each: Apart, asker: Asker) -> None:
    """Find the units without duplicates the cheap way, where there is one. Of the others nothing is known."""
    for batch in bitsets.batches(each.check, unknown_of(each, parts), parts.layout):
        try:
            part = asker.part(batch.files)
            query = bitsets.query(each.check, batch, parts.layout, part)
            (row,) = asker.rows(query, (each.check.id,))
        except CouldNotCheck as error:
            if error.retryable:
                parts.errors[each.key] = error
                return
            # The statistics were wrong: the other way will tell.
            continue
        if len(batch.units) < len(each.units):
            asker.done(part)
        if row["keys"] == (row["bits"] or 0):
            for unit in batch.units:
                parts.values[split.unit_id(unit), each.key] = split.no_duplicates(each.check)


def measure_hashes(parts: Parts, each: Apart, asker: Asker) -> None:
    """Of very many rows, group only those whose keys may be there twice."""
    units = unknown_of(each, parts)
    files = [f for unit in units for f in unit]
    rows = sum(parts.layout.rows_of.get(f.path, 0) for f in files)
    if not units or rows <= repeats.FEW_ROWS or each.key in parts.errors:
        return
    try:
        query = repeats.hashes(each.check, parts.layout, asker.part(files))
        found = asker.repeats(query, rows, (each.check.id,))
        if found is None:
            return
        for unit in units:
            none = split.no_duplicates(each.check)
            values = _among(found, parts, each, unit, asker) if found.ranges else none
            parts.values[split.unit_id(unit), each.key] = values
    except CouldNotCheck as error:
        # Else the query of the check's own will tell what is wrong.
        if error.retryable:
            parts.errors[each.key] = error


def _among(
    found: Repeats, parts: Parts, each: Apart, unit: tuple[DataFile, ...], asker: Asker
) -> dict[str, Json]:
    """The figures of a unit, from its rows whose hashes come more than once."""
    scan = fuse.own_query(each.check, parts.layout)
    assert scan is not None, "the split has only checks with a query"
    whole = renamed(scan.query, parts.layout.table.name, asker.part(unit))
    answers: list[Mapping[str, Json]] = []
    for within in found.ranges:
        query = repeats.among(whole, each.check, parts.layout, found.source, within)
        (measured,) = fuse.read(scan, asker.rows(query, (each.check.id,)), just(each.check))
        answers.append(measured.values)
    return split.merged_own(each.check, answers)


def measure_unit(parts: Parts, each: Apart, files: tuple[DataFile, ...], unit: str, asker: Asker) -> None:
    """Group the keys of a unit: what tells of any of them."""
    scan = fuse.own_query(each.check, parts.layout)
    assert scan is not None, "the split has only checks with a query"
    try:
        query = renamed(scan.query, parts.layout.table.name, asker.part(files))
        (found,) = fuse.read(scan, asker.rows(query, (each.check.id,)), just(each.check))
    except CouldNotCheck as error:
        parts.errors[each.key] = error
        return
    parts.values[unit, each.key] = dict(found.values)


def narrowed(query: exp.Query, check: Check, parts: Parts, asker: Asker) -> exp.Query | None:
    """A question about the failing rows of a check, asked such that few keys are grouped.

    None where there are too many duplicates to look at together. Raises CouldNotCheck.
    """
    lost = asker.lost.get(check.id)
    if lost is not None:
        few = list(lost.queries(query))
        return few[0] if len(few) == 1 else None
    each = next((a for a in parts.aparts if a.check.id == check.id), None)
    if each is None:
        return query
    values = ((u, parts.values.get((split.unit_id(u), each.key))) for u in each.units)
    files = [f for unit, found in values if found is None or any(found.values()) for f in unit]
    if not files:
        return repeats.of_files(query, None)
    narrow = repeats.of_files(query, asker.part(files))
    rows = sum(parts.layout.rows_of.get(f.path, 0) for f in files)
    if rows <= repeats.FEW_ROWS:
        return narrow
    found = asker.repeats(repeats.hashes(check, parts.layout, asker.part(files)), rows, ())
    if found is None:
        return narrow
    if not found.ranges:
        return repeats.of_files(query, None)
    if len(found.ranges) > 1:
        return None
    return repeats.among(narrow, check, parts.layout, found.source, found.ranges[0])
