"""Check kinds that the footers answer: is the table there, with these columns, of these types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from contracts_svc.files import DataFile, natural
from contracts_svc.findings import Severity
from contracts_svc.quality import types
from contracts_svc.quality.kind import CheckKind, Merge, Origin, Promises, Values, column_check
from contracts_svc.quality.layout import Layout, Stored, Variant, of_files, where
from contracts_svc.runs import Check, Unsupported

_FILES = {"failing": Merge.SUM, "files": Merge.SUM}


def _table_present(promises: Promises) -> Iterator[Check]:
    table = promises.table
    yield Check(
        id=f"{table.name}.table-present",
        kind="table-present",
        table=table.name,
        title=f"{table.name} is there",
        at=table.at,
    )


POLICIES = {"allowed": None, "warned": Severity.WARNING, "forbidden": Severity.ERROR}
"""What the custom properties ``missingColumns`` and ``extraColumns`` may say."""


def _policy(promises: Promises, name: str, default: str) -> Severity | Unsupported | None:
    """What a custom property of the table, else of the contract, says of columns; None: all is allowed."""
    stated = (*promises.table.custom, *promises.contract.custom)
    found = next((c for c in stated if c.property == name), None)
    value = str(found.value).strip().lower() if found else default
    if value in POLICIES:
        return POLICIES[value]
    reason = f"{value} is none of {', '.join(POLICIES)}"
    at = found.at if found else promises.table.at
    return Unsupported(what=f"{promises.table.name}: customProperties {name}", reason=reason, at=at)


def _columns_present(promises: Promises) -> Iterator[Check | Unsupported]:
    severity = _policy(promises, "missingColumns", "forbidden")
    if isinstance(severity, Unsupported):
        yield severity
        severity = Severity.ERROR
    for column in promises.table.walk():
        if severity is None:
            continue
        check = column_check(
            "missing-column",
            promises.table,
            column,
            at=column.at,
            title=f"{promises.table.name} has the column {column.path}",
        )
        yield replace(check, severity=severity)


def _no_extra_columns(promises: Promises) -> Iterator[Check | Unsupported]:
    table = promises.table
    severity = _policy(promises, "extraColumns", "warned")
    if isinstance(severity, Unsupported):
        yield severity
        severity = Severity.WARNING
    if severity is None:
        return
    yield Check(
        id=f"{table.name}.extra-column",
        kind="extra-column",
        table=table.name,
        severity=severity,
        title=f"{table.name} has no column that its contract does not list",
        at=table.at,
    )


def _partition_layout(promises: Promises) -> Iterator[Check]:
    table = promises.table
    keys = sorted((c for c in table.columns if c.partitioned), key=lambda c: c.partition_key_position)
    if keys:
        yield Check(
            id=f"{table.name}.partition-layout",
            kind="partition-layout",
            table=table.name,
            arguments={"keys": [c.stored_name for c in keys]},
            title=f"the files of {table.name} are in folders by {', '.join(c.path for c in keys)}",
            at=keys[0].place("partitioned"),
        )


def _logical_types(promises: Promises) -> Iterator[Check]:
    for column in promises.table.walk():
        # A text file keeps no types: there, the values are looked at (value-type).
        if column.logical_type and not promises.reading.text:
            yield column_check(
                "logical-type",
                promises.table,
                column,
                at=column.place("logicalType"),
                title=f"{column.path} is of type {column.logical_type}",
                type=column.logical_type,
            )


def _physical_types(promises: Promises) -> Iterator[Check | Unsupported]:
    for column in promises.table.walk():
        if not column.physical_type or promises.reading.text:
            continue
        if types.parse(column.physical_type) is None:
            yield Unsupported(
                what=f"{promises.table.name}.{column.path}: physicalType {column.physical_type}",
                reason="this type is not one of the engine's",
                at=column.place("physicalType"),
            )
            continue
        yield column_check(
            "physical-type",
            promises.table,
            column,
            at=column.place("physicalType"),
            title=f"{column.path} is stored as {column.physical_type}",
            type=column.physical_type,
        )


def _measure_table(check: Check, layout: Layout) -> Values:
    return {"failing": 0 if layout.files else 1, "files": len(layout.files)}


def _measure_missing(check: Check, layout: Layout) -> Values:
    stored = layout.columns[check.columns[0]]
    # Files from before a column was added read as NULL, which an optional column may be.
    optional = not (stored.column.required or stored.column.primary_key)
    absent = () if optional and stored.variants else stored.missing
    return {
        "failing": len(absent),
        "files": len(layout.files),
        "missing": len(stored.missing),
        "parts": _parts(absent, layout),
    }


def _measure_extra(check: Check, layout: Layout) -> Values:
    return {"failing": len(layout.extra), "columns": sorted(layout.extra)}


def _measure_partitions(check: Check, layout: Layout) -> Values:
    wanted = [str(k).casefold() for k in check.arguments["keys"]]
    wrong = [
        f
        for f in layout.files
        # A folder of the location itself may look like a key (env=prod), and is none of the table.
        if [k for k in map(str.casefold, f.partition) if k in wanted] != wanted
    ]
    return {
        "failing": len(wrong),
        "files": len(layout.files),
        "found": sorted({"/".join(f"{k}=" for k in f.partition) or "no such folder" for f in wrong})[:3],
        "parts": _parts(wrong, layout),
    }


def _measure_logical(check: Check, layout: Layout) -> Values:
    stored = layout.columns[check.columns[0]]
    if stored.partition:
        return _partition_values(stored, layout)
    return _drift(stored.misfit(), stored, layout)


def _measure_physical(check: Check, layout: Layout) -> Values:
    stored = layout.columns[check.columns[0]]
    promised = types.parse(str(check.arguments["type"]))
    wrong = (
        v
        for v in stored.variants
        if promised is None
        or v.parsed is None
        or not types.fits_physical(promised, str(check.arguments["type"]), v.parsed)
    )
    return _drift(tuple(wrong), stored, layout)


def _drift(wrong: tuple[Variant, ...], stored: Stored, layout: Layout) -> Values:
    files = [f for v in wrong for f in v.files]
    return {
        "failing": len(files),
        "files": sum(len(v.files) for v in stored.variants),
        "stored": {v.type: len(v.files) for v in stored.variants},
        "wrong": sorted(v.type for v in wrong),
        "parts": _parts(files, layout),
    }


def _partition_values(stored: Stored, layout: Layout) -> Values:
    """A partition key has no stored type: the text in each path must read as the promised type."""
    having = [f for v in stored.variants for f in v.files]
    name = stored.column.stored_name.casefold()
    texts = {f.path: v for f in having for k, v in f.partition.items() if k.casefold() == name}
    wrong = [f for f in having if not types.reads_as(texts[f.path], stored.column)]
    return {
        "failing": len(wrong),
        "files": len(having),
        "stored": {"text in the path": len(having)},
        "wrong": sorted({texts[f.path] for f in wrong})[:5],
        "parts": _parts(wrong, layout),
    }


def _parts(files: Iterable[DataFile], layout: Layout) -> dict[str, int]:
    """Partition or file name -> rows in it, in natural order."""
    found: dict[str, int] = {}
    for file in files:
        found[where(file)] = found.get(where(file), 0) + layout.rows_of.get(file.path, 0)
    return dict(sorted(found.items(), key=lambda item: natural(item[0])))


def _since(values: Values) -> str:
    parts: dict[str, int] = values.get("parts") or {}
    return f", first {next(iter(parts))}" if parts else ""


def _found_table(check: Check, values: Values, now: datetime) -> str:
    if values["files"]:
        return f"{values['files']:,} file" + ("s" if values["files"] > 1 else "")
    place = values.get("location")
    return f"no file at {place}" if place else "no file"


def _found_missing(check: Check, values: Values, now: datetime) -> str:
    if not values["failing"]:
        return f"present in {of_files(values['files'] - values['missing'], values['files'])}"
    part = values["failing"] < values["files"]
    return f"missing from {of_files(values['failing'], values['files'])}" + (_since(values) if part else "")


def _found_partitions(check: Check, values: Values, now: datetime) -> str:
    if not values["failing"]:
        return f"{of_files(values['files'], values['files'])}"
    return f"{' and '.join(values['found'])} in {of_files(values['failing'], values['files'])}"


def _expected_partitions(check: Check) -> str:
    return "folders " + "/".join(f"{k}=" for k in check.arguments["keys"])


def _found_extra(check: Check, values: Values, now: datetime) -> str:
    return "extra: " + ", ".join(values["columns"]) if values["columns"] else "none"


def _found_type(check: Check, values: Values, now: datetime) -> str:
    if not values["failing"]:
        return " and ".join(sorted(values["stored"]))
    wrong = " and ".join(str(w) for w in values["wrong"])
    part = values["failing"] < values["files"]
    return f"{wrong} in {of_files(values['failing'], values['files'])}" + (_since(values) if part else "")


def _type(check: Check) -> str:
    return f"type {check.arguments['type']}"


def _present(check: Check) -> str:
    return f"the column {check.columns[0]}"


KINDS: tuple[CheckKind, ...] = (
    CheckKind(
        key="table-present",
        purpose="Checks that the table has at least one file at the server's location.",
        source="schema.name with servers.location",
        origin=Origin.FOOTER,
        promised=_table_present,
        subject=lambda check: "without a file",
        measure=_measure_table,
        expected=lambda check: "at least one file",
        found=_found_table,
        merge={"failing": Merge.MIN, "files": Merge.SUM},
    ),
    CheckKind(
        key="missing-column",
        purpose="Checks that columns are there: required and key ones in every file, others in some file.",
        source="schema.properties; customProperties missingColumns (allowed, warned, forbidden)",
        origin=Origin.FOOTER,
        promised=_columns_present,
        subject=_present,
        measure=_measure_missing,
        expected=_present,
        found=_found_missing,
        merge=_FILES,
    ),
    CheckKind(
        key="extra-column",
        purpose="Checks that the files have no column that the contract lacks (by default a warning).",
        source="schema.properties; customProperties extraColumns (allowed, warned, forbidden)",
        origin=Origin.FOOTER,
        promised=_no_extra_columns,
        subject=lambda check: "columns that the contract does not list",
        measure=_measure_extra,
        expected=lambda check: "only columns of the contract",
        found=_found_extra,
        merge={"failing": Merge.NEVER},
    ),
    CheckKind(
        key="partition-layout",
        purpose="Checks that every file is in Hive folders (key=value) of the partition keys, in order.",
        source="schema.properties.partitioned, partitionKeyPosition",
        origin=Origin.FOOTER,
        promised=_partition_layout,
        subject=_expected_partitions,
        measure=_measure_partitions,
        expected=_expected_partitions,
        found=_found_partitions,
        merge=_FILES,
    ),
    CheckKind(
        key="logical-type",
        purpose="Checks that every file stores the kind of value that logicalType promises.",
        source="schema.properties.logicalType, logicalTypeOptions.timezone",
        origin=Origin.FOOTER,
        promised=_logical_types,
        subject=_type,
        measure=_measure_logical,
        expected=_type,
        found=_found_type,
        merge=_FILES,
    ),
    CheckKind(
        key="physical-type",
        purpose="Checks that every file stores the exact type that physicalType promises.",
        source="schema.properties.physicalType",
        origin=Origin.FOOTER,
        promised=_physical_types,
        subject=_type,
        measure=_measure_physical,
        expected=_type,
        found=_found_type,
        merge=_FILES,
    ),
)
