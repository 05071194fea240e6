"""A first look at data that has no contract yet: footers, and a bounded sample of rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from contracts_svc.errors import UserMistake
from contracts_svc.files import DataFile, Reading
from contracts_svc.flows.check_tables import storage_of
from contracts_svc.model import Column, Json
from contracts_svc.onboard import (
    FirstLook,
    csv_reading,
    ending_of,
    format_of,
    glob_of,
    of_structure,
    partition_columns,
    stored_columns,
)
from contracts_svc.ports import Engine, Snapshots, Source, Storage
from contracts_svc.quality import text_values
from contracts_svc.quality.kinds_files import REJECTS

SAMPLE_ROWS = 100_000
"""How many rows are read at the most."""
_NAME = "data"
_LOGS = (("delta", "_delta_log/*.json"), ("iceberg", "metadata/*.metadata.json"))
"""Format of a table with a log -> where, below its folder, the log is."""
_TRIED = ("integer", "number", "boolean", "date", "timestamp", "time")
"""Logical types that texts are tried as; the first that all of them are is taken."""
_ZEROS = "[+-]?0[0-9].*"
"""A text of digits that is no number: the zeros in front would be lost."""
_KEY_TYPES = ("integer", "string")
_FOLLOWING = 50
"""So many rows at least, before values that are all different look like a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What somebody named: ``given`` as written, ``base`` the address below which its files lie."""

    given: str
    base: str
    remote: bool
    glob: bool


def first_look(
    place: Place, *, storage: Storage, engine: Engine, snapshots: Mapping[str, Snapshots]
) -> FirstLook:
    """What the data at a place is like. Raises UserMistake, CouldNotCheck."""
    kind = "" if place.glob else _table_format(place, storage)
    if kind:
        own, reading, location = (
            storage_of(Reading(format=kind), storage, snapshots),
            Reading(format=kind),
            place.given,
        )
        files = own.files(location)
    else:
        own, found = storage, storage.files(place.given)
        name, endings = format_of(found, place.given)
        files = tuple(f for f in found if ending_of(f.path) in endings)
        named = place.glob or [f.path for f in found] == [place.base]
        location = place.given if named else glob_of(place.given, place.base, files, endings)
        reading = Reading(format=name)
        if name == "csv":
            reading = _csv_reading(own, files[0])
    keys = partition_columns(files)
    look = FirstLook(
        location=location, remote=place.remote, reading=reading, files=len(files), rows=None, columns=()
    )
    look = (_text if reading.text else _stored)(look, own, files, engine)
    taken = {k.name.casefold() for k in keys}
    return replace(look, columns=(*(c for c in look.columns if c.name.casefold() not in taken), *keys))


def _table_format(place: Place, storage: Storage) -> str:
    folder = place.given.rstrip("/")
    return next((f for f, log in _LOGS if storage.files(f"{folder}/{log}")), "")


def _csv_reading(storage: Storage, file: DataFile) -> Reading:
    """How the first file of a table looks as if it were to be read. Raises UserMistake, CouldNotCheck."""
    # With these, all of the first line is the name of one column.
    whole = Reading(format="csv", delimiter="\x01", quote="\x02")
    for encoding in ("utf-8", "utf-16"):
        (footer,) = storage.footers([file], replace(whole, encoding=encoding))
        line = footer.columns[0].name if footer.columns else ""
        if "\x00" not in line:
            break
    if not line:
        raise UserMistake.of(f"{file.path} has no columns", "it is empty, or no CSV file")
    return replace(csv_reading(line), encoding=encoding)


# --- files that have types ------------------------------------------------------------------------


def _stored(look: FirstLook, storage: Storage, files: Sequence[DataFile], engine: Engine) -> FirstLook:
    # Columns that neither the first nor the last file has are not in all of them.
    ends = storage.footers(files if len(files) < 3 else (files[0], files[-1]), look.reading)
    footers = storage.footers(files, look.reading, {c.name for f in ends for c in f.columns})
    columns, notes = stored_columns(footers)
    rows = sum(f.rows or 0 for f in footers)
    unique = [c for c in columns if c.required and c.logical_type in _KEY_TYPES]
    if unique:
        source = Source(name=_NAME, files=tuple(files), reading=look.reading)
        figures, _ = _asked(
            engine, source, {f"distinct_{n}": _distinct(_column(c.name)) for n, c in enumerate(unique)}
        )
        for number, column in enumerate(unique):
            _note_key(notes, column, figures[f"distinct_{number}"], figures["rows"], rows)
    return replace(look, columns=columns, notes=notes, rows=rows)


# --- text files -----------------------------------------------------------------------------------


def _text(look: FirstLook, storage: Storage, files: Sequence[DataFile], engine: Engine) -> FirstLook:
    footers = storage.footers(files, look.reading)
    names = list({c.name: None for f in footers for c in f.columns})
    if not names:
        raise UserMistake.of(f"{look.location} has no columns", "its files are empty, or hold no objects")
    if not look.reading.header:
        look = replace(look, reading=replace(look.reading, names=tuple(names)))
    source = Source(
        name=_NAME,
        files=tuple(files),
        reading=look.reading,
        names={f.file.path: tuple(c.name for c in f.columns) for f in footers},
    )
    is_json = look.reading.format == "json"
    wanted: dict[str, exp.Expr] = {}
    for number, name in enumerate(names):
        wanted |= {f"{key}_{number}": each for key, each in _figures(name, is_json).items()}
    figures, unread = _asked(engine, source, wanted)
    if any("ENCODING" in why or "UNICODE" in why for why in unread) and look.reading.encoding == "utf-8":
        # Any bytes are text in this one, which most files are that are not UTF-8.
        return _text(replace(look, reading=replace(look.reading, encoding="latin-1")), storage, files, engine)
    rows = int(figures["rows"])
    whole = rows < SAMPLE_ROWS
    columns: list[Column] = []
    notes: dict[str, str] = {}
    for number, name in enumerate(names):
        own = {key.rpartition("_")[0]: v for key, v in figures.items() if key.endswith(f"_{number}")}
        column = _read_as(name, own, is_json)
        full = own["there"] == rows and rows > 0
        if own["there"] == 0:
            notes[name] = "TODO: it has no value: what is it to be?"
        elif column.logical_type is None:
            notes[name] = "TODO: its values are of several kinds"
        elif full and not whole:
            notes[name] = f"no NULL in the first {rows:,} rows: is it required?"
        columns.append(replace(column, required=full and whole))
        if full and column.logical_type in _KEY_TYPES:
            _note_key(notes, column, own["distinct"], rows, rows if whole else None)
    return replace(
        look,
        columns=tuple(columns),
        notes=notes,
        unread=sum(unread.values()),
        rows=rows if whole else None,
        sampled=None if whole else rows,
    )


def _figures(name: str, is_json: bool) -> dict[str, exp.Expr]:
    raw = _column(name + text_values.TEXT)
    text = text_values.json_text(raw) if is_json else raw
    found: dict[str, exp.Expr] = {
        "there": exp.Count(this=text.copy()),
        "distinct": _distinct(text),
        "zeros": _how_many(
            exp.Anonymous(this="regexp_full_match", expressions=[text.copy(), exp.Literal.string(_ZEROS)])
        ),
    }
    for logical in _TRIED:
        tried = Column(name=name, path=name, logical_type=logical)
        found[f"not_{logical}"] = _how_many(text_values.is_no_value(raw, tried, json=is_json))
    if is_json:
        found["structure"] = exp.Anonymous(this="json_group_structure", expressions=[raw.copy()])
    return found


def _read_as(name: str, figures: Mapping[str, Json], is_json: bool) -> Column:
    """The column, of the first type that all of its texts are."""
    usual = Column(name=name, path=name, logical_type="string")
    if is_json:
        usual = of_structure(name, name, json.loads(figures["structure"] or '"NULL"'))
        if usual.logical_type in ("object", "array", "boolean", None):
            return usual
    if figures["there"] == 0:
        return usual
    tried = _TRIED if not figures["zeros"] or is_json else _TRIED[2:]
    fitting = next((t for t in tried if figures[f"not_{t}"] == 0), None)
    return replace(usual, logical_type=fitting) if fitting else usual


# --- what is asked --------------------------------------------------------------------------------


def _asked(
    engine: Engine, source: Source, wanted: Mapping[str, exp.Expr]
) -> tuple[Mapping[str, Json], Mapping[str, int]]:
    """These figures of the first rows, with ``rows``: how many there are of them; and why lines of CSV files
    among them could not be read. Raises CouldNotCheck."""
    sample = exp.select(exp.Star()).from_(exp.to_table(source.name)).limit(SAMPLE_ROWS).subquery("sample")
    named = [exp.alias_(each, name, quoted=True) for name, each in wanted.items()]
    query = exp.select(exp.alias_(exp.Count(this=exp.Star()), "rows"), *named).from_(sample)
    why = exp.cast(exp.column("error_type"), "TEXT")
    rejected = exp.select(exp.alias_(why, "why"), exp.alias_(exp.Count(this=exp.Star()), "lines"))
    rejected = rejected.from_(exp.to_table(REJECTS)).group_by(why.copy())
    with engine.open([source]) as session:
        (found,) = session.rows(query)
        unread = session.rows(rejected) if source.reading.format == "csv" else []
    return found, {str(r["why"]).upper(): int(r["lines"]) for r in unread}


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))


def _distinct(value: exp.Expr) -> exp.Expr:
    return exp.Count(this=exp.Distinct(expressions=[value.copy()]))


def _how_many(condition: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="count_if", expressions=[condition])


def _note_key(notes: dict[str, str], column: Column, distinct: int, seen: int, rows: int | None) -> None:
    """Say of a column whose values are all different that it may be the key: only people know."""
    if distinct == seen >= _FOLLOWING:
        among = f"the {seen:,} rows" if rows == seen else f"the first {seen:,} rows"
        told = f"no value comes twice in {among}: is it the key? primaryKey: true"
        notes[column.path] = "; ".join(filter(None, (notes.get(column.path), told)))
