"""A first contract from data that is there: what columns it has, and what of them may be promised.

Only what was surely seen is promised; what it merely looks like (a key, a column that is never NULL) is a
comment beside it, for whoever knows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from contracts_svc.errors import UserMistake
from contracts_svc.files import NO_VALUE, DataFile, Footer, Reading
from contracts_svc.model import Column, Json
from contracts_svc.odcs.write import entry, scalar
from contracts_svc.quality import types
from contracts_svc.quality.types import Family
from contracts_svc.render import clean

_ENDINGS: Mapping[str, tuple[str, ...]] = {
    "parquet": (".parquet", ".pq", ".parq"),
    "csv": (".csv", ".tsv"),
    "json": (".json", ".jsonl", ".ndjson"),
}
_COMPRESSED = ("", ".gz", ".zst", ".bz2")
_ENDING_OF = {
    f"{ending}{packed}": format_
    for format_, endings in _ENDINGS.items()
    for ending in endings
    for packed in (_COMPRESSED if format_ != "parquet" else ("",))
}
_LOGICAL = {
    Family.TEXT: "string",
    Family.BINARY: "string",
    Family.INTEGER: "integer",
    Family.DECIMAL: "number",
    Family.FLOAT: "number",
    Family.BOOLEAN: "boolean",
    Family.DATE: "date",
    Family.TIMESTAMP: "timestamp",
    Family.TIMESTAMP_TZ: "timestamp",
    Family.TIME: "time",
}
_SPELT = {"TEXT": "VARCHAR", "INT": "INTEGER", "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
_OF_JSON = {
    "BIGINT": "integer", "UBIGINT": "integer", "HUGEINT": "integer",
    "DOUBLE": "number", "BOOLEAN": "boolean", "VARCHAR": "string",
}  # fmt: skip
_WILDCARDS = "*?[]"
_DELIMITERS = (",", ";", "\t", "|")
_NO_NAME = re.compile(r"[+-]?\d+([.,]\d+)?|\d{4}-\d{2}-\d{2}.*")
"""What no column is called: numbers and days. A first line with such names is a row."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLook:
    """What was seen of a table."""

    location: str
    """As the contract's server has it."""
    remote: bool
    """Whether it lies on S3."""
    reading: Reading
    files: int
    rows: int | None
    """None where not all of the files were read, and nothing else tells."""
    columns: tuple[Column, ...]
    notes: Mapping[str, str] = field(default_factory=dict)
    """Path of a column -> what a person should know of it, or decide."""
    sampled: int | None = None
    """How many rows the types of the columns were read off, where these are not all."""
    unread: int = 0
    """How many lines of CSV files could not be read as rows."""


# --- where it lies --------------------------------------------------------------------------------


def format_of(files: Sequence[DataFile], place: str) -> tuple[str, tuple[str, ...]]:
    """The format of the files, and the endings of their names. Raises UserMistake.

    A file without an ending is taken for Parquet, as engines write it.
    """
    found: dict[str, dict[str, int]] = {}
    for file in files:
        ending = ending_of(file.path)
        if ending is not None:
            endings = found.setdefault(_ENDING_OF.get(ending, "parquet"), {})
            endings[ending] = endings.get(ending, 0) + 1
    if not files:
        raise UserMistake.of(
            f"no file at {place}",
            "name a file, a folder, or a pattern in quotes: 'data/*.parquet', s3://bucket/folder/",
        )
    if not found:
        some = ", ".join(sorted({f.path.rpartition("/")[2] for f in files})[:3])
        raise UserMistake.of(
            f"{place} holds no file whose format is known by its name: {some}",
            "these are: .parquet, .csv, .tsv, .json, .jsonl, .ndjson, all but the first also packed (.gz)",
        )
    if len(found) > 1:
        told = ", ".join(f"{sum(e.values()):,} {name}" for name, e in sorted(found.items()))
        pattern = f"{place.rstrip('/')}/*{next(iter(found[min(found)]))}"
        raise UserMistake.of(
            f"{place} holds files of several formats: {told}", f"name those of one table: '{pattern}'"
        )
    ((name, endings),) = found.items()
    return name, tuple(sorted(endings))


def ending_of(path: str) -> str | None:
    """By what the name of a file tells its format; empty where it has no ending, None where it tells none."""
    name = path.rpartition("/")[2].lower()
    if "." not in name:
        return ""
    return next((e for e in sorted(_ENDING_OF, key=len, reverse=True) if name.endswith(e)), None)


def glob_of(folder: str, base: str, files: Sequence[DataFile], endings: Sequence[str]) -> str:
    """The pattern of these files below a folder. ``base`` is the folder's address, as the files have it."""
    below = [f.path[len(base) :].strip("/").split("/")[:-1] for f in files]
    levels: list[str] = []
    if len({len(parts) for parts in below}) > 1:
        levels = ["**"]
    else:
        for parts in zip(*below, strict=True):
            keys = {p.partition("=")[0] if "=" in p else None for p in parts}
            key = next(iter(keys))
            levels.append(f"{key}=*" if len(keys) == 1 and key else parts[0] if len(set(parts)) == 1 else "*")
    shortest = min(endings, key=len)
    same = all(e.startswith(shortest) for e in endings)
    name = f"*{shortest}" if len(endings) == 1 else f"*{shortest}*" if same and shortest else "*"
    return "/".join([folder.rstrip("/"), *levels, name])


def name_of(address: str) -> str:
    """What the table at an address may be called."""
    for part in reversed(address.rpartition("://")[2].split("/")):
        if "=" in part or part == "**":
            continue
        ending = ending_of(part) or ""
        stem = "".join(c for c in part[: len(part) - len(ending)] if c not in _WILDCARDS)
        name = re.sub(r"[^0-9A-Za-z_]+", "_", stem).strip("_")
        if name:
            return name
    return "table"


def csv_reading(line: str) -> Reading:
    """How a CSV file looks as if it were to be read, by its first line: with the delimiter that gives it the
    most fields, and with a header unless a field of it is what no column is called."""
    found = {d: next(csv.reader([line], delimiter=d), []) for d in _DELIMITERS}
    delimiter = max(found, key=lambda d: len(found[d]))
    header = not any(_NO_NAME.fullmatch(name.strip()) for name in found[delimiter])
    return Reading(format="csv", delimiter=delimiter, header=header)


# --- what it holds --------------------------------------------------------------------------------


def stored_columns(footers: Sequence[Footer]) -> tuple[tuple[Column, ...], dict[str, str]]:
    """The columns of Parquet files by their footers, in the order in which they come first, with notes.

    Required is what no file has a NULL in, as its statistics prove.
    """
    seen: dict[str, dict[str, int]] = {}
    never_null: dict[str, bool] = {}
    for footer in footers:
        for stored in footer.columns:
            kinds = seen.setdefault(stored.name, {})
            kinds[stored.type] = kinds.get(stored.type, 0) + 1
            bounds = footer.bounds.get(stored.name)
            full = not stored.nullable or footer.rows == 0 or (bounds is not None and bounds.nulls == 0)
            never_null[stored.name] = never_null.get(stored.name, True) and full
    notes: dict[str, str] = {}
    columns: list[Column] = []
    for name, kinds in seen.items():
        there = sum(kinds.values()) == len(footers)
        column = _of_types(name, kinds)
        if len(kinds) > 1:
            told = ", ".join(f"{kind} in {n:,}" for kind, n in sorted(kinds.items()))
            notes[name] = f"TODO: files have it in several types ({told})"
        elif not there:
            notes[name] = f"in {sum(kinds.values()):,} of {len(footers):,} files"
        columns.append(replace(column, required=there and never_null[name]))
    return tuple(columns), notes


def _of_types(name: str, kinds: Mapping[str, int]) -> Column:
    parsed = [types.parse(kind) for kind in kinds]
    if len(kinds) == 1:
        return typed(name, name, parsed[0])
    families = {types.family(kind) for kind in parsed}
    logical = _LOGICAL.get(next(iter(families))) if len(families) == 1 else None
    if families and all(f.numeric for f in families):
        logical = logical or "number"
    return Column(name=name, path=name, logical_type=logical)


def typed(name: str, path: str, kind: exp.DataType | None) -> Column:
    """A column that is stored in this type, and what is nested in it."""
    found = types.family(kind)
    if kind is None or found is Family.OTHER or found is Family.MAP:
        # The standard has no logical type for these before version 3.2.
        return Column(name=name, path=path, physical_type=kind.sql("duckdb") if kind is not None else None)
    if found is Family.STRUCT:
        fields = tuple(typed(n, f"{path}.{n}", k) for n, k in types.fields(kind).items())
        return Column(name=name, path=path, logical_type="object", columns=fields)
    if found is Family.LIST:
        parts = types.inner(kind)
        items = typed("", f"{path}[]", parts[0]) if parts else None
        return Column(name=name, path=path, logical_type="array", items=items)
    options: dict[str, Json] = {}
    if found is Family.TIMESTAMP_TZ:
        options["timezone"] = True
    if found is Family.BINARY:
        options["format"] = "binary"
    return Column(
        name=name,
        path=path,
        logical_type=_LOGICAL[found],
        logical_type_options=options,
        physical_type=_spelt(kind),
    )


def _spelt(kind: exp.DataType) -> str:
    """The type as DuckDB itself writes it."""
    found = kind.sql("duckdb")
    return _SPELT.get(found, found.replace(", ", ","))


def of_structure(name: str, path: str, structure: Json) -> Column:
    """A column of JSON documents, of the structure that DuckDB's ``json_group_structure`` tells.

    Whose values are of several kinds, or of none, has no type.
    """
    if isinstance(structure, dict):
        fields = tuple(of_structure(n, f"{path}.{n}", s) for n, s in structure.items())
        return Column(name=name, path=path, logical_type="object", columns=fields)
    if isinstance(structure, list):
        items = of_structure("", f"{path}[]", structure[0]) if structure else None
        has_type = items is not None and items.logical_type is not None
        return Column(name=name, path=path, logical_type="array", items=items if has_type else None)
    return Column(name=name, path=path, logical_type=_OF_JSON.get(str(structure)))


def partition_columns(files: Sequence[DataFile]) -> tuple[Column, ...]:
    """The columns whose values are in the paths of all files, as integers, dates or strings."""
    keys = [k for k in (files[0].keys if files else ()) if all(k in f.keys for f in files)]
    found: list[Column] = []
    for position, key in enumerate(keys, start=1):
        values = {f.keys[key] for f in files} - {NO_VALUE}
        logical = "string"
        if values and all(_INTEGER.fullmatch(v) for v in values):
            logical = "integer"
        elif values and all(_DATE.fullmatch(v) for v in values):
            logical = "date"
        column = Column(name=key, path=key, logical_type=logical)
        if logical == "date" and not all(types.reads_as(v, column) for v in values):
            column = replace(column, logical_type="string")
        found.append(replace(column, partitioned=True, partition_key_position=position))
    return tuple(found)


# --- the contract ---------------------------------------------------------------------------------

_ENCODINGS = {"latin-1": "ISO-8859-1", "utf-16": "UTF-16"}
_TEAM = """\
# TODO: who answers for it, and where people ask. Alerts go there.
# team:
#   name: checkout
#   members: [{username: ada@example.com, role: owner}]
#   customProperties: [{property: squad, value: checkout}]
# support:
#   - {channel: "#checkout", tool: slack, scope: issues}
"""


def contract_text(name: str, look: FirstLook) -> str:
    """The contract, as YAML. It promises what was seen, and says what only people know."""
    notes = {path: clean(note) for path, note in look.notes.items()}
    rows = "" if look.rows is None else f" with {look.rows:,} row{'' if look.rows == 1 else 's'}"
    lines = [
        f"# Made by `contracts init` of {look.files:,} file{'' if look.files == 1 else 's'}{rows}.",
        "# All that stands here is promised: take out what you do not mean to keep, and see to each TODO.",
    ]
    if look.sampled is not None:
        lines.append(
            f"# Types were read off the first {look.sampled:,} rows; `contracts check` looks at all of them."
        )
    if look.unread:
        lines.append(f"# {look.unread:,} lines were no rows: `contracts check` tells which.")
    lines += [
        # Encodings came with version 3.2.
        f"apiVersion: {'v3.1.0' if look.reading.encoding == 'utf-8' else 'v3.2.0'}",
        "kind: DataContract",
        f"id: {scalar(name)}",
        f"name: {scalar(name)}",
        "version: 1.0.0",
        "status: draft  # TODO: active, once others may build on it",
        _TEAM.rstrip("\n"),
        "servers:",
        *_server(look),
        "schema:",
        f"  - name: {scalar(name)}  # TODO: description: what a row is",
        "    properties:",
        *(line for column in look.columns for line in entry(column, " " * 6, notes)),
    ]
    return "\n".join(lines) + "\n"


def _server(look: FirstLook) -> Iterator[str]:
    yield f"  - server: {'lake' if look.remote else 'local'}"
    yield f"    type: {'s3' if look.remote else 'local'}"
    from_here = "" if look.remote or look.location.startswith("/") else "  # from where it is checked"
    yield f"    {'location' if look.remote else 'path'}: {scalar(look.location)}{from_here}"
    yield f"    format: {look.reading.format}"
    if look.reading.encoding != "utf-8":
        yield f"    encoding: {_ENCODINGS[look.reading.encoding]}"
    options: list[tuple[str, Json]] = []
    if look.reading.format == "csv" and look.reading.delimiter != ",":
        options.append(("csvDelimiter", look.reading.delimiter))
    if look.reading.format == "csv" and not look.reading.header:
        options.append(("csvHeader", False))
    if options:
        yield "    customProperties:"
        yield from (f"      - {{property: {name}, value: {scalar(value)}}}" for name, value in options)
