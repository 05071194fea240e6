"""Values of text files: the text of a CSV field or a JSON value, read as the type that is promised.

What does not read exactly as its type becomes NULL, and is counted by the kind ``value-type``: the
engine's own casts would round 1.7 to an integer and cut a time off a date.
"""

from __future__ import annotations

from sqlglot import exp

from contracts_svc.model import Column
from contracts_svc.quality import date_formats, types
from contracts_svc.quality.types import Family

TEXT = " (text)"
"""What is added to a column's name for its text as it was written."""

_NUMBER = r"\s*[-+]?([0-9]+\.?[0-9]{{0,{scale}}}0*|\.[0-9]{{1,{scale}}}0*)\s*"
_WHOLE = r"\s*[-+]?([0-9]+(\.0*)?|\.0+)\s*"
_DATE = r"\s*[-+]?[0-9]{1,6}-[0-9]{1,2}-[0-9]{1,2}( \(BC\))?\s*"
_JSON_NUMBERS = ("BIGINT", "UBIGINT", "HUGEINT", "DOUBLE", "DECIMAL")
_ZONE = r".*[0-9](Z|z| ?UTC|[-+][0-9]{2}(:?[0-9]{2}){0,2})\s*"


def text_type(column: Column) -> str:
    """The type, as DuckDB writes it, in which the text of a column is read.

    ``physicalType`` where it is one of the engine's and a kind of the ``logicalType``, else the widest
    type of the ``logicalType``, else VARCHAR.
    """
    physical = types.parse(column.physical_type) if column.physical_type else None
    logical = (column.logical_type or "").lower()
    if logical in ("array", "vector"):
        return f"{text_type(column.items) if column.items else 'JSON'}[]"
    if logical == "map":
        key = text_type(column.map_key) if column.map_key else "VARCHAR"
        return f"MAP({key}, {text_type(column.map_value) if column.map_value else 'JSON'})"
    if logical == "object":
        fields = ", ".join(
            f"{exp.to_identifier(c.stored_name, quoted=True).sql('duckdb')} {text_type(c)}"
            for c in column.columns
        )
        return f"STRUCT({fields})" if fields else "JSON"
    if physical is not None and not physical.is_type(*_NESTED) and types.fits_logical(column, physical):
        return str(column.physical_type)
    if logical == "timestamp" and column.logical_type_options.get("timezone") is True:
        return "TIMESTAMP WITH TIME ZONE"
    return types.LOGICAL_TO_DUCKDB.get(logical, "VARCHAR")


_NESTED = (exp.DType.ARRAY, exp.DType.LIST, exp.DType.STRUCT, exp.DType.MAP)


def value_of(raw: exp.Expr, column: Column, *, json: bool) -> exp.Expr:
    """What a text is as a value of its column; NULL where it is none. ``json``: the text is a JSON value."""
    kind = types.parse(text_type(column))
    family = types.family(kind)
    if family in (Family.LIST, Family.STRUCT, Family.MAP):
        if not json:
            return exp.cast(exp.null(), text_type(column), dialect="duckdb")
        wanted = "ARRAY" if family is Family.LIST else "OBJECT"
        read = exp.TryCast(this=raw.copy(), to=exp.DataType.build(text_type(column), dialect="duckdb"))
        return _where(_json_type_in(raw, (wanted,)), read)
    text = json_text(raw) if json else raw.copy()
    found = _scalar(text, column, kind, family)
    if not json:
        return found
    fits = _json_types(family)
    return _where(_json_type_in(raw, fits), found) if fits else found


def is_no_value(raw: exp.Expr, column: Column, *, json: bool) -> exp.Expr:
    """True for a text that is there and is no value of its column."""
    family = types.family(types.parse(text_type(column)))
    there = exp.Is(this=json_text(raw) if json else raw.copy(), expression=exp.null()).not_()
    if json and family in (Family.LIST, Family.STRUCT, Family.MAP):
        # Only the outer shape: what is inside is promised by the columns inside.
        wanted = "ARRAY" if family is Family.LIST else "OBJECT"
        return exp.and_(there, exp.not_(_json_type_in(raw, (wanted,))))
    unread = exp.Is(this=value_of(raw, column, json=json), expression=exp.null())
    return exp.and_(there, unread)


def json_text(raw: exp.Expr) -> exp.Expr:
    """The text of a JSON value, without the quotes of a string; NULL of null."""
    return exp.Anonymous(this="json_extract_string", expressions=[raw.copy(), exp.Literal.string("$")])


def pointer(name: str) -> exp.Expr:
    """The JSON pointer (RFC 6901) of a key."""
    return exp.Literal.string("/" + name.replace("~", "~0").replace("/", "~1"))


def _json_types(family: Family) -> tuple[str, ...]:
    if family.numeric:
        return _JSON_NUMBERS
    return ("BOOLEAN",) if family is Family.BOOLEAN else ("VARCHAR",)


def _json_type_in(raw: exp.Expr, names: tuple[str, ...]) -> exp.Expr:
    kind = exp.Anonymous(this="json_type", expressions=[raw.copy()])
    return exp.In(this=kind, expressions=[exp.Literal.string(n) for n in names])


def _scalar(text: exp.Expr, column: Column, kind: exp.DataType | None, family: Family) -> exp.Expr:
    if kind is None or (family is Family.TEXT and kind.this in (exp.DType.VARCHAR, exp.DType.TEXT)):
        return text
    written = column.logical_type_options.get("format")
    if family in (Family.DATE, Family.TIMESTAMP, Family.TIMESTAMP_TZ, Family.TIME) and written:
        pattern = date_formats.read(str(written))
        if not isinstance(pattern, str):
            return exp.TryCast(this=in_format(text, pattern), to=kind.copy())
    read = exp.TryCast(this=text.copy(), to=kind.copy())
    match family:
        case Family.INTEGER:
            # Through the widest decimal, since the engine's cast of 5.0 to an integer would round 5.4 too.
            whole = exp.TryCast(this=text.copy(), to=exp.DataType.build("DECIMAL(38, 0)", dialect="duckdb"))
            whole = exp.TryCast(this=whole, to=kind.copy())
            return _where(_matches(text, _WHOLE), whole)
        case Family.DECIMAL:
            return _where(_matches(text, _NUMBER.format(scale=types.scale(kind) or 0)), read)
        case Family.DATE:
            return _where(_matches(text, _DATE), read)
        case Family.TIMESTAMP if column.logical_type_options.get("timezone") is False:
            return _where(exp.not_(_matches(text, _ZONE)), read)
        case Family.TIMESTAMP:
            return _zoned(text, column, read)
        case Family.TIMESTAMP_TZ if column.logical_type_options.get("timezone") is True:
            return _where(_matches(text, _ZONE), read)
    return read


def _zoned(text: exp.Expr, column: Column, plain: exp.Expr) -> exp.Expr:
    """A timestamp without a zone: text that has one is brought to the zone that the column means."""
    zone = str(column.logical_type_options.get("defaultTimezone") or "UTC")
    aware = exp.TryCast(this=text.copy(), to=exp.DataType.build("TIMESTAMPTZ", dialect="duckdb"))
    there = exp.AtTimeZone(this=aware, zone=exp.Literal.string(zone))
    return exp.Case(ifs=[exp.If(this=_matches(text, _ZONE), true=there)], default=plain)


def in_format(text: exp.Expr, pattern: date_formats.Pattern) -> exp.Expr:
    """The time that a text in this format tells; NULL where it is in another, or no day of the calendar."""
    spelt: exp.Expr = text.copy()
    if pattern.zulu:
        ends = [spelt, exp.Literal.string("Z$"), exp.Literal.string("+00:00")]
        spelt = exp.Anonymous(this="regexp_replace", expressions=ends)
    format_ = exp.Literal.string(pattern.strptime)
    parsed = exp.Anonymous(this="try_strptime", expressions=[spelt, format_])
    return _where(_matches(text, pattern.regex), parsed)


def _matches(text: exp.Expr, pattern: str) -> exp.Expr:
    return exp.Anonymous(this="regexp_full_match", expressions=[text.copy(), exp.Literal.string(pattern)])


def _where(condition: exp.Expr, value: exp.Expr) -> exp.Expr:
    return exp.Case(ifs=[exp.If(this=condition, true=value)])
